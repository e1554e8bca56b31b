"""``python -m train.evaluate RUN``: score a run or a teacher on any dataset of its classes, and show what it sees."""

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Literal

from PIL import Image
from pydantic import BaseModel, ConfigDict, Field
from rich.console import Console
from rich.table import Table

from train.checkpoint import TrainedNetwork, check_classes, load_run
from train.command import command
from train.data.dataset import Dataset
from train.data.open import open_dataset
from train.data.spec import DataConfig
from train.errors import UserError
from train.evaluation import Prediction, predictions
from train.metrics import ConfusionMatrix, Scores, scores
from train.models.build import Cost, cost
from train.pictures import comparison
from train.precision import choose_device
from train.progress import progress
from train.settings import load_config


class EvaluateConfig(BaseModel):
    """Score a trained network on a split of a dataset; the dataset is the run's own unless --data says otherwise."""

    model_config = ConfigDict(extra="forbid")

    checkpoint: Literal["best", "last"] = Field("best", description="which of the run's checkpoints")
    split: str = Field("", description="split to score; default: the dataset's val split")
    out: Path | None = Field(None, description="folder for scores.json and pictures; default: RUN/evaluation")
    pictures: int = Field(12, ge=0, description="overlay pictures written, evenly spaced through the split")
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="auto: a GPU if there is one")
    data: DataConfig = Field(default_factory=DataConfig, description="the dataset; default: the run's own")


def main() -> None:
    run, config = _arguments()
    trained = load_run(run, config.checkpoint)
    data = _dataset_config(trained, config)
    dataset = open_dataset(data, config.split or data.val_split)
    check_classes(trained, run, dataset.classes, dataset.name)
    trained.network.to(choose_device(config.device))
    out = config.out or run / "evaluation"
    result = _score(trained, dataset, data.size, out, config.pictures)
    size = cost(trained.network, data.size)
    Console().print(_table(dataset, result, size))
    record = {"run": str(run), "checkpoint": config.checkpoint, "step": trained.step, "dataset": dataset.name}
    record |= {"images": len(dataset), "size": list(data.size), **asdict(size), **asdict(result)}
    (out / "scores.json").write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    print(f"scores and pictures: {out}")


def _arguments() -> tuple[Path, EvaluateConfig]:
    program, arguments = "python -m train.evaluate", sys.argv[1:]
    if "-h" in arguments or "--help" in arguments:
        load_config(EvaluateConfig, f"{program} RUN", ["--help"])
    if not arguments or arguments[0].startswith("-"):
        raise UserError(f"which run? usage: {program} RUN [--key value ...]")
    return Path(arguments[0]), load_config(EvaluateConfig, f"{program} RUN", arguments[1:])


def _dataset_config(trained: TrainedNetwork, config: EvaluateConfig) -> DataConfig:
    """The run's own dataset with what was given instead; another folder brings its own classes, checked later."""
    given = config.data.model_dump(exclude_unset=True)
    own = trained.config.data
    if given.keys() & {"layout", "root"}:
        return DataConfig.model_validate({"layout": own.layout, "size": own.size, **given})
    return DataConfig.model_validate({**own.model_dump(), **given})


def _score(trained: TrainedNetwork, dataset: Dataset, size: tuple[int, int], out: Path, pictures: int) -> Scores:
    out.mkdir(parents=True, exist_ok=True)
    matrix = ConfusionMatrix(len(dataset.classes))
    every = max(1, len(dataset) // pictures) if pictures else len(dataset) + 1
    seen = progress(predictions(trained.network, dataset, size), "evaluate", len(dataset))
    for number, prediction in enumerate(seen, 1):
        matrix.add(prediction.sample.label, prediction.ids)
        if number % every == 0 and number // every <= pictures:
            _save_picture(prediction, dataset, out)
    return scores(matrix, dataset.classes)


def _save_picture(prediction: Prediction, dataset: Dataset, out: Path) -> None:
    sample = prediction.sample
    masks = [("label", sample.label), ("prediction", prediction.ids)]
    Image.fromarray(comparison(sample.image, masks, dataset.palette)).save(out / f"{sample.name}.png")


def _table(dataset: Dataset, result: Scores, size: Cost) -> Table:
    table = Table(title=f"{dataset.name}, {len(dataset)} images", title_justify="left")
    table.add_column("score")
    table.add_column("value", justify="right")
    for name, value in (("mIoU", result.miou), ("mAcc", result.macc), ("pixel accuracy", result.pixel_accuracy)):
        table.add_row(name, f"{value:.4f}")
    for name, iou in result.class_iou.items():
        table.add_row(f"IoU {name}", "absent" if iou is None else f"{iou:.4f}")
    table.add_row("parameters", f"{size.parameters / 1e6:.2f} M")
    table.add_row("MACs", f"{size.macs / 1e9:.2f} G")
    return table


if __name__ == "__main__":
    command(main)
