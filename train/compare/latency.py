"""How long a student takes where it is used: exported by the project's own command, and timed by it."""

import json
import subprocess
import sys
from pathlib import Path

_ROLE = "onnx"


def bundle_latency_ms(run: Path, bundle: Path) -> float | None:
    """The median time of one image through the exported bundle, in ms; None: it cannot be exported or timed here.

    What is there is not made again. Training does not know how to export: other programs do it.
    """
    timed = bundle.with_name(f"{bundle.name}.json")
    if not timed.is_file():
        exported = (bundle / "manifest.json").is_file() or _call("export.onnx", run, "--out", bundle)
        if not (exported and _call("export.table", bundle, "--no-compile", "--json", timed)):
            print(f"{bundle}: could not be exported and timed, see above: the tables have no latency", flush=True)
            return None
    rows = json.loads(timed.read_text(encoding="utf-8"))[0]["rows"]
    latency = next(row["latency"] for row in rows if row["role"] == _ROLE)
    return None if latency is None else float(latency["p50_ms"])


def _call(module: str, *arguments: str | Path) -> bool:
    return subprocess.run([sys.executable, "-m", module, *map(str, arguments)], check=False).returncode == 0
