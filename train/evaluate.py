"""``python -m train.evaluate RUN``: score a run or its teacher on any dataset of its classes, and show what it sees."""

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal, NamedTuple

import torch
from PIL import Image
from pydantic import BaseModel, ConfigDict, Field
from rich.console import Console
from rich.table import Table

from train.boundary_score import BoundaryScore, BoundaryScores
from train.checkpoint import check_classes, load_run
from train.clip_walk import ClipWalk, TemporalEvaluation
from train.command import command
from train.config import RunConfig
from train.data.dataset import Dataset
from train.data.flow.provider import choose_provider
from train.data.open import open_dataset
from train.data.spec import DataConfig
from train.durable import atomic_path
from train.errors import UserError
from train.evaluation import Prediction, predictions
from train.metrics import ConfusionMatrix, Scores, scores
from train.models.build import Cost, cost
from train.models.network import SegmentationNetwork, is_opaque
from train.pictures import comparison
from train.precision import choose_device
from train.progress import progress
from train.run_directory import RunDirectory
from train.settings import load_config
from train.taught import TaughtFrames, seen_by_teacher
from train.teachers.loading import load_teacher
from train.temporal import TemporalScores


class EvaluateConfig(BaseModel):
    """Score a trained network on a split of a dataset; the dataset is the run's own unless --data says otherwise."""

    model_config = ConfigDict(extra="forbid")

    checkpoint: Literal["best", "last"] = Field("best", description="which of the run's checkpoints")
    split: str = Field("", description="split to score; default: the dataset's val split")
    out: Path | None = Field(None, description="folder for scores.json and pictures; default: RUN/evaluation")
    pictures: int = Field(12, ge=0, description="overlay pictures written, evenly spaced through the split")
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="auto: a GPU if there is one")
    temporal: bool = Field(
        False,
        description="also score over time, for splits of clips: temporal consistency (TC) between frames "
        "data.neighbour.gap apart, and label flips per second where nothing moves",
    )
    boundary: bool = Field(
        False,
        description="also score boundaries by their F-score: right are those nearer to the label's than 0.0075 of the "
        "image's diagonal",
    )
    teacher: bool = Field(
        False, description="score the teacher of the run instead; RUN may then be the config file of a training"
    )
    data: DataConfig = Field(default_factory=DataConfig, description="the dataset; default: the run's own")


def main() -> None:
    run, config = _arguments()
    device = choose_device(config.device)
    network, dataset, data, origin = _teacher(run, config, device) if config.teacher else _trained(run, config, device)
    out = config.out or run / ("evaluation_of_teacher" if config.teacher else "evaluation")
    scored = _score(network, dataset, data, config, out)
    size = None if is_opaque(network) else cost(network, data.size)
    Console().print(_table(dataset, scored, size))
    record = {"run": str(run), **origin, "dataset": dataset.name}
    record |= {"images": len(dataset), "size": list(data.size), **(asdict(size) if size else {})}
    if scored.images is not None:
        record |= asdict(scored.images)
    if scored.boundaries is not None:
        record |= asdict(scored.boundaries)
    if scored.clips is not None:
        record["temporal"] = {**asdict(scored.clips), "gap": data.neighbour.gap, "flow": scored.flow}
    with atomic_path(out / "scores.json") as path:
        path.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    print(f"scores and pictures: {out}")


def _arguments() -> tuple[Path, EvaluateConfig]:
    program, arguments = "python -m train.evaluate", sys.argv[1:]
    if "-h" in arguments or "--help" in arguments:
        load_config(EvaluateConfig, f"{program} RUN", ["--help"])
    if not arguments or arguments[0].startswith("-"):
        raise UserError(f"which run? usage: {program} RUN [--key value ...]")
    return Path(arguments[0]), load_config(EvaluateConfig, f"{program} RUN", arguments[1:])


class _Subject(NamedTuple):
    """What is scored, and on what."""

    network: SegmentationNetwork
    dataset: Dataset
    data: DataConfig
    origin: dict[str, Any]


def _trained(run: Path, config: EvaluateConfig, device: torch.device) -> _Subject:
    trained = load_run(run, config.checkpoint)
    data = _dataset_config(trained.config.data, config)
    dataset = open_dataset(data, config.split or data.val_split)
    check_classes(trained, run, dataset.classes, dataset.name)
    trained.network.to(device)
    if data.taught and trained.config.teacher is not None and not config.temporal:
        dataset = seen_by_teacher(trained.config, dataset, data.size, device)
    return _Subject(trained.network, dataset, data, {"checkpoint": config.checkpoint, "step": trained.step})


def _teacher(run: Path, config: EvaluateConfig, device: torch.device) -> _Subject:
    if run.is_dir():
        training = RunDirectory(run).config()
    else:
        training = load_config(RunConfig, "python -m train.evaluate", [str(run)])
        if config.out is None:
            raise UserError(f"{run}: a config has no folder for scores and pictures: say where with --out")
    if training.teacher is None:
        raise UserError(f"{run}: has no teacher: leave --teacher out to score the network that was trained")
    data = _dataset_config(training.data, config)
    dataset = open_dataset(data, config.split or data.val_split)
    loaded = load_teacher(training.teacher, dataset.classes, dataset.name)
    for note in loaded.notes:
        print(note)
    return _Subject(loaded.network.to(device), dataset, data, {"teacher": training.teacher.model_dump(mode="json")})


def _dataset_config(own: DataConfig, config: EvaluateConfig) -> DataConfig:
    """The run's own dataset with what was given instead; another folder brings its own classes, checked later."""
    given = config.data.model_dump(exclude_unset=True)
    if given.keys() & {"layout", "root"}:
        bare_clips = (
            given.get("layout") == "clips" and not (config.data.root or Path()).joinpath("classes.txt").is_file()
        )
        if bare_clips or config.data.taught:
            given = {"classes": own.classes, "palette": own.palette, **given}  # bare videos have none of their own
        return DataConfig.model_validate({"layout": own.layout, "size": own.size, **given})
    return DataConfig.model_validate({**own.model_dump(), **given})


class _Scored(NamedTuple):
    images: Scores | None
    """None: no image has a label."""
    boundaries: BoundaryScores | None
    """None: no image has a label, or not asked for."""
    clips: TemporalScores | None
    """None: not asked for."""
    flow: str | None
    """The provider of the flow that `clips` was scored with."""


def _score(
    network: SegmentationNetwork, dataset: Dataset, data: DataConfig, config: EvaluateConfig, out: Path
) -> _Scored:
    if not (dataset.labelled or config.temporal):
        raise UserError(f"{dataset.name}: no labels to score against: add masks, or --temporal for scores over time")
    matrix, boundaries = ConfusionMatrix(len(dataset.classes)), BoundaryScore(len(dataset.classes))
    every = max(1, len(dataset) // config.pictures) if config.pictures else len(dataset) + 1
    walk = ClipWalk(dataset, data.neighbour.gap) if config.temporal else None
    over_time = TemporalEvaluation(walk, data.neighbour, len(dataset.classes)) if walk else None
    out.mkdir(parents=True, exist_ok=True)
    seen = progress(predictions(network, walk or dataset, data.size), "evaluate", len(walk or dataset))
    for number, prediction in enumerate(over_time.through(seen) if over_time else seen, start=1):
        matrix.add(prediction.sample.label, prediction.ids)
        if config.boundary:
            boundaries.add(prediction.sample.label, prediction.ids)
        if number % every == 0 and number // every <= config.pictures:
            _save_picture(prediction, dataset, out)
    return _Scored(
        images=scores(matrix, dataset.classes) if dataset.labelled else None,
        boundaries=boundaries.scores(dataset.classes) if dataset.labelled and config.boundary else None,
        clips=over_time.consistency.scores(dataset.classes) if over_time else None,
        flow=choose_provider(data.neighbour, walk.clips) if walk else None,
    )


def _save_picture(prediction: Prediction, dataset: Dataset, out: Path) -> None:
    sample = prediction.sample
    label = "teacher" if isinstance(dataset, TaughtFrames) else "label"
    masks = [(label, sample.label), ("prediction", prediction.ids)]
    Image.fromarray(comparison(sample.image, masks, dataset.palette)).save(out / f"{sample.name}.png")


def _table(dataset: Dataset, scored: _Scored, size: Cost | None) -> Table:
    table = Table(title=f"{dataset.name}, {len(dataset)} images", title_justify="left")
    table.add_column("score")
    table.add_column("value", justify="right")
    if scored.images is not None:
        result = scored.images
        accuracy = "agreement with the teacher" if isinstance(dataset, TaughtFrames) else "pixel accuracy"
        for name, value in (("mIoU", result.miou), ("mAcc", result.macc), (accuracy, result.pixel_accuracy)):
            table.add_row(name, f"{value:.4f}")
        for name, iou in result.class_iou.items():
            table.add_row(f"IoU {name}", "absent" if iou is None else f"{iou:.4f}")
    if scored.boundaries is not None:
        f_score = scored.boundaries.boundary_f
        table.add_row("boundary F-score", "absent" if f_score is None else f"{f_score:.4f}")
    if scored.clips is not None:
        flips = scored.clips.flips_per_s
        table.add_row(f"TC, {scored.clips.pairs} pairs, flow: {scored.flow}", f"{scored.clips.tc:.4f}")
        table.add_row("  compared pixels", f"{scored.clips.visible:.4f}")
        table.add_row("label flips of a static pixel", "unknown" if flips is None else f"{flips:.4f} /s")
        table.add_row("  static pixels", f"{scored.clips.static:.4f}")
    if size is not None:
        table.add_row("parameters", f"{size.parameters / 1e6:.2f} M")
        table.add_row("MACs", f"{size.macs / 1e9:.2f} G")
    return table


if __name__ == "__main__":
    command(main)
