"""``python -m train.report RUN [RUN ...]``: the page of a run anew, or several runs side by side."""

import json
import sys
from pathlib import Path
from typing import Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field
from rich.console import Console

from train.checkpoint import TrainedNetwork, check_classes, load_run
from train.command import command
from train.comparison import Comparison
from train.comparison_page import comparison_page
from train.data.dataset import Dataset
from train.data.open import open_dataset
from train.data.resize import Size
from train.durable import atomic_path
from train.errors import UserError
from train.models.network import SegmentationNetwork
from train.precision import choose_device
from train.run_directory import RunDirectory
from train.run_page import run_page
from train.run_summary import RunSummary, summarize
from train.settings import load_config
from train.table import console
from train.taught import seen_by_teacher
from train.teachers.loading import load_teacher


class ReportConfig(BaseModel):
    """Look at the val split through the networks of runs, and put what there is to see on one page without scripts.

    One run: curves, IoU of each class, confusion matrix, pictures, worst images, student against teacher, calibration,
    cost. Several runs of the same classes: scores, cost, curves and classes side by side, and where their configs
    differ.
    """

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    checkpoint: Literal["best", "last"] = Field("best", description="which of a run's checkpoints")
    out: Path | None = Field(
        None, description="file of the page; default: RUN/report.html, for several runs comparison.html"
    )
    markdown: Path | None = Field(None, description="also write the tables that compare runs to this file")
    json_file: Path | None = Field(None, alias="json", description="also write all numbers to this file")
    root: Path | None = Field(None, description="folder of the dataset; default: where training found it")
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="auto: a GPU if there is one")


def write_report(
    run: RunDirectory,
    network: SegmentationNetwork,
    val_set: Dataset,
    size: Size,
    teacher: SegmentationNetwork | None = None,
) -> Path:
    """Look once more at ``val_set`` through ``network`` and write ``report.html`` into the run's directory.

    Args:
        run: a run with a config, an environment and metrics.
        network: the one whose classes and pictures are shown, as a rule that of the best checkpoint.
        val_set: the split that the run was scored on.
        size: height and width of the network's input, pixels.
        teacher: what the student is compared with.

    Returns:
        The path of the page.
    """
    target = run.root / "report.html"
    _write(target, run_page(summarize(run, network, val_set, size, teacher)).html())
    return target


def main() -> None:
    roots, config = _arguments()
    targets = [target for target in (config.out, config.markdown, config.json_file) if target is not None]
    for target in targets:
        if not target.parent.is_dir():
            raise UserError(f"{target.parent}: no such folder: make it first")
    opened = [_open(root, config) for root in roots]
    for root, one in zip(roots[1:], opened[1:], strict=True):
        check_classes(one.trained, root, opened[0].trained.config.data.classes, str(roots[0]))
    comparison = Comparison([_summarize(root, one) for root, one in zip(roots, opened, strict=True)])
    single = len(roots) == 1
    page = run_page(comparison.runs[0]) if single else comparison_page(comparison)
    target = config.out or (roots[0] / "report.html" if single else Path("comparison.html"))
    _write(target, page.html())
    if config.markdown is not None:
        _write(config.markdown, comparison.markdown())
    if config.json_file is not None:
        _write(config.json_file, json.dumps(comparison.record(), indent=2) + "\n")
    for table in (comparison.scores, comparison.cost):
        Console().print(console(table))
    if comparison.warning:
        print(comparison.warning)
    print(f"report: {target}")


def _arguments() -> tuple[list[Path], ReportConfig]:
    program, arguments = "python -m train.report", sys.argv[1:]
    count = next((number for number, text in enumerate(arguments) if text.startswith("-")), len(arguments))
    if "-h" in arguments or "--help" in arguments:
        load_config(ReportConfig, f"{program} RUN [RUN ...]", ["--help"])
    if not count:
        raise UserError(f"which run? usage: {program} RUN [RUN ...] [--key value ...]")
    roots = list(dict.fromkeys(Path(text) for text in arguments[:count]))
    return roots, load_config(ReportConfig, f"{program} RUN [RUN ...]", arguments[count:])


class _Opened(NamedTuple):
    trained: TrainedNetwork
    teacher: SegmentationNetwork | None
    val_set: Dataset


def _open(root: Path, config: ReportConfig) -> _Opened:
    """All that can be wrong with a run is found here, before the long looks."""
    trained = load_run(root, config.checkpoint)
    data = trained.config.data
    if config.root is not None:
        data = data.model_copy(update={"root": config.root})
    val_set = open_dataset(data, data.val_split)
    device = choose_device(config.device)
    trained.network.to(device)
    if data.taught:
        seen = seen_by_teacher(trained.config, val_set, data.size, device)
        return _Opened(trained, seen.teacher, seen)
    teacher = _teacher(root, trained, val_set)
    return _Opened(trained, teacher.to(device) if teacher else None, val_set)


def _teacher(root: Path, trained: TrainedNetwork, val_set: Dataset) -> SegmentationNetwork | None:
    taught = trained.config.teacher
    if taught is None:
        return None
    try:
        return load_teacher(taught, val_set.classes, val_set.name).network
    except UserError as error:  # moved or deleted since; the run is whole without it
        print(f"{root}: its teacher is not shown: {error}")
        return None


def _summarize(root: Path, opened: _Opened) -> RunSummary:
    size = opened.trained.config.data.size
    return summarize(RunDirectory(root), opened.trained.network, opened.val_set, size, opened.teacher)


def _write(target: Path, text: str) -> None:
    with atomic_path(target) as path:
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    command(main)
