"""The files of a comparison: for people, for documents, for machines."""

import csv
import io
import json
from pathlib import Path

from train.compare.findings import Findings
from train.compare.output.charts import draw
from train.compare.output.markdown import section, whole
from train.compare.output.page import compare_page
from train.compare.output.record import Row, arm_rows, record, run_rows
from train.durable import atomic_path, writing


def write(findings: Findings, folder: Path) -> list[Path]:
    """Write all that is to be shown.

    Args:
        findings: of a comparison.
        folder: made where it is missing; files of the same names are replaced, each whole or not at all.

    Returns:
        ``report.html``: the page; ``table.md``: all tables; ``section.md``: the main ones, for `document.merge`;
        ``results.json``: all figures; ``results.csv``: a line an arm; ``runs.csv``: a line a run; and the pictures.

    Raises:
        UserError: they cannot be written.
    """
    charts = draw(findings)
    texts = {
        "report.html": compare_page(findings, charts).html(),
        "table.md": whole(findings),
        "section.md": section(findings),
        "results.json": json.dumps(record(findings), indent=2, ensure_ascii=False, allow_nan=False) + "\n",
        "results.csv": _csv(arm_rows(findings)),
        "runs.csv": _csv(run_rows(findings)),
    }
    files = {name: text.encode() for name, text in texts.items()}
    files |= {f"{picture.name}.png": picture.png for picture in charts}
    with writing(folder, "make room, or check the path"):
        folder.mkdir(parents=True, exist_ok=True)
    return [_write(folder / name, content) for name, content in files.items()]


def _write(target: Path, content: bytes) -> Path:
    with writing(target, "make room, or check the path"), atomic_path(target) as path:
        path.write_bytes(content)
    return target


def _csv(rows: list[Row]) -> str:
    """Columns of all rows; what a row does not have is empty."""
    text = io.StringIO()
    columns = dict.fromkeys(name for row in rows for name in row)
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
