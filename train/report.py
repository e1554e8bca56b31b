"""``report.html`` of a run: scores, curves, classes, pictures, config and environment on one page."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml
from numpy.typing import NDArray

from train.charts import confusion_chart, loss_chart, score_chart
from train.data.dataset import Dataset, Sample
from train.data.resize import Size, resize_image
from train.evaluation import Prediction, predictions
from train.history import History
from train.metrics import ConfusionMatrix, scores
from train.models.build import Cost, cost
from train.models.network import SegmentationNetwork
from train.pictures import panels
from train.run_directory import RunDirectory, atomic_path
from train.web_page import (
    Card,
    WebPage,
    bars,
    chart,
    columns,
    legend,
    paragraph,
    preformatted,
    scrolling_chart,
    strip,
    table,
)

PICTURES = 6
"""Samples of the val split that are shown, evenly spaced through it."""
_LARGEST_PICTURE_WIDTH = 480


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
        teacher: shown beside the student in the pictures.

    Returns:
        The path of the page.
    """
    config = run.config()
    history = History.of(run.records())
    seen = _look(network, val_set, size)
    page = WebPage(
        config.name,
        f"{config.model.title}, scored on {val_set.name} at {size[0]} × {size[1]}",
    )
    page.cards(_headlines(history, cost(network, size), cost(teacher, size) if teacher else None))
    if history.logged and history.evaluations:
        page.section("Training", _curves(history))
    page.section("Classes", _classes(seen.matrix, val_set))
    page.section("Pictures", legend(val_set.classes, val_set.palette), *_strips(seen.shown, val_set, size, teacher))
    page.folded("Config", preformatted(yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False)))
    page.folded("Environment", _environment(run))
    target = run.root / "report.html"
    with atomic_path(target) as path:
        path.write_text(page.html(), encoding="utf-8")
    return target


@dataclass(frozen=True)
class _Seen:
    matrix: ConfusionMatrix
    shown: list[Prediction]


def _look(network: SegmentationNetwork, val_set: Dataset, size: Size) -> _Seen:
    """One pass over the split: the confusion matrix of all samples, and the predictions that will be shown."""
    count = min(PICTURES, len(val_set))
    chosen = {(2 * number + 1) * len(val_set) // (2 * count) for number in range(count)}
    seen = _Seen(ConfusionMatrix(len(val_set.classes)), [])
    for index, prediction in enumerate(predictions(network, val_set, size)):
        seen.matrix.add(prediction.sample.label, prediction.ids)
        if index in chosen:
            seen.shown.append(prediction)
    return seen


def _headlines(history: History, student: Cost, teacher: Cost | None) -> list[Card]:
    cards = []
    if history.best is not None and history.last is not None:
        best, last = history.best, history.last
        cards = [
            Card("mIoU, best", f"{best['miou']:.3f}", f"step {best['step']}; last {last['miou']:.3f}"),
            Card("mAcc", f"{best['macc']:.3f}", f"last {last['macc']:.3f}"),
            Card("Pixel accuracy", f"{best['pixel_accuracy']:.3f}", f"last {last['pixel_accuracy']:.3f}"),
        ]
    parameters = f"teacher {_si(teacher.parameters)}" if teacher else "trainable"
    macs = f"teacher {_si(teacher.macs)}" if teacher else "of one image"
    return [*cards, Card("Parameters", _si(student.parameters), parameters), Card("MACs", _si(student.macs), macs)]


def _curves(history: History) -> str:
    losses = loss_chart(history.losses(), history.learning_rate())
    names = {"mIoU": "miou", "mAcc": "macc", "pixel accuracy": "pixel_accuracy"}
    points = score_chart({name: history.score(key) for name, key in names.items()})
    return columns(
        chart(losses, "loss terms and learning rate over steps"), chart(points, "scores on the val split over steps")
    )


def _classes(matrix: ConfusionMatrix, val_set: Dataset) -> str:
    iou = scores(matrix, val_set.classes).class_iou
    rows = [(name, iou[name], colour) for name, colour in zip(val_set.classes, val_set.palette, strict=True)]
    rows.sort(key=lambda row: -1.0 if row[1] is None else row[1], reverse=True)
    confusion = confusion_chart(matrix.counts, val_set.classes)
    return columns(
        paragraph("IoU of each class, best checkpoint") + bars(rows),
        paragraph("Where the pixels of each class went, in percent of the label's pixels")
        + scrolling_chart(confusion, "confusion matrix, rows: label, columns: prediction", 30 * len(val_set.classes)),
    )


def _strips(shown: list[Prediction], val_set: Dataset, size: Size, teacher: SegmentationNetwork | None) -> list[str]:
    samples = [prediction.sample for prediction in shown]
    taught = predictions(teacher, samples, size) if teacher else []
    titled = [[("label", sample.label)] for sample in samples]
    for masks, prediction in zip(titled, taught, strict=False):
        masks.append(("teacher", prediction.ids))
    for masks, prediction in zip(titled, shown, strict=True):
        masks.append(("student" if teacher else "prediction", prediction.ids))
    return [_strip(sample, masks, val_set) for sample, masks in zip(samples, titled, strict=True)]


def _strip(sample: Sample, masks: list[tuple[str, NDArray[np.uint8]]], val_set: Dataset) -> str:
    height, width = sample.label.shape
    scale = min(1.0, _LARGEST_PICTURE_WIDTH / width)
    size = (max(1, round(height * scale)), max(1, round(width * scale)))
    pictures = panels(sample.image, masks, val_set.palette)
    return strip(sample.name, [(panel.title, resize_image(panel.pixels, size)) for panel in pictures])


def _environment(run: RunDirectory) -> str:
    environment = json.loads((run.root / "env.json").read_text(encoding="utf-8"))
    versions = environment.pop("versions", {})
    return table({**environment, **versions})


def _si(count: int) -> str:
    """Three digits and a prefix: 268 k, 3.09 M."""
    for limit, prefix in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if count >= limit:
            return f"{count / limit:#.3g}".rstrip(".") + f" {prefix}"
    return str(count)
