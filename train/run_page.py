"""The page of one run: scores, curves, classes, calibration, pictures, student and teacher, cost, config."""

from collections.abc import Sequence

import yaml

from train.agreement import OUTCOMES
from train.agreement import PALETTE as OUTCOME_PALETTE
from train.charts import confusion_chart, loss_chart, reliability_chart, score_chart
from train.history import History
from train.inspection import Case
from train.models.build import Cost
from train.pictures import small_panels
from train.quantities import duration, energy, with_prefix
from train.run_summary import RunSummary
from train.web_page import (
    Card,
    WebPage,
    bars,
    chart,
    columns,
    grid,
    legend,
    paragraph,
    preformatted,
    scrolling_chart,
    strip,
    table,
)

UNKNOWN = "not recorded"
_CLEARLY = 0.85
"""Weight of the colours that say who is right: what lies beneath is in the pictures beside."""


def run_page(summary: RunSummary) -> WebPage:
    """The whole page of one run."""
    config, val_set, seen = summary.config, summary.val_set, summary.inspection
    height, width = summary.size
    page = WebPage(config.name, f"{config.model.title}, scored on {val_set.name} at {height} × {width}")
    page.cards(_headlines(summary))
    if summary.history.logged and summary.history.evaluations:
        page.section("Training", _curves(summary.history))
    page.section("Classes", _classes(summary))
    page.section("Calibration", _calibration(summary))
    page.section("Cost", _costs(summary))
    page.section("Pictures", paragraph("Evenly spaced through the split."), *_strips(seen.shown, summary))
    page.section("Worst images", paragraph("The lowest mIoU of one image alone."), *_strips(seen.worst, summary))
    if seen.teacher is not None:
        page.section("Student and teacher", _shares(summary), *_strips(seen.disputed, summary))
    page.folded("Config", preformatted(yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False)))
    versions = summary.environment.get("versions", {})
    page.folded("Environment", table({**{k: v for k, v in summary.environment.items() if k != "versions"}, **versions}))
    return page


def _headlines(summary: RunSummary) -> list[Card]:
    best, last = summary.history.best, summary.history.last
    cards = []
    if best is not None and last is not None:
        cards = [
            Card("mIoU, best", f"{best['miou']:.3f}", f"step {best['step']}; last {last['miou']:.3f}"),
            Card("mAcc", f"{best['macc']:.3f}", f"last {last['macc']:.3f}"),
            Card(_accuracy(summary), f"{best['pixel_accuracy']:.3f}", f"last {last['pixel_accuracy']:.3f}"),
        ]
    error = summary.inspection.score.reliability.error
    if error is not None:
        cards.append(Card("Calibration error", f"{error:.3f}", "confidence against accuracy"))
    own, teacher = summary.cost, summary.teacher_cost
    parameters = f"teacher {with_prefix(teacher.parameters)}" if teacher else "trainable"
    macs = f"teacher {with_prefix(teacher.macs)}" if teacher else "of one image"
    return [
        *cards,
        Card("Parameters", with_prefix(own.parameters), parameters),
        Card("MACs", with_prefix(own.macs), macs),
    ]


def _accuracy(summary: RunSummary) -> str:
    return "Agreement with the teacher" if summary.config.data.taught else "Pixel accuracy"


def _curves(history: History) -> str:
    losses = loss_chart(history.losses(), history.learning_rate())
    names = {"mIoU": "miou", "mAcc": "macc", "pixel accuracy": "pixel_accuracy"}
    points = score_chart({name: history.score(key) for name, key in names.items()})
    return columns(
        chart(losses, "loss terms and learning rate over steps"), chart(points, "scores on the val split over steps")
    )


def _classes(summary: RunSummary) -> str:
    val_set = summary.val_set
    iou = summary.scores.class_iou
    rows = [(name, iou[name], colour) for name, colour in zip(val_set.classes, val_set.palette, strict=True)]
    rows.sort(key=lambda row: -1.0 if row[1] is None else row[1], reverse=True)
    confusion = scrolling_chart(
        confusion_chart(summary.inspection.score.matrix.counts, val_set.classes),
        "confusion matrix, rows: label, columns: prediction",
        _matrix_width(len(val_set.classes)),
    )
    return columns(
        paragraph("IoU of each class") + bars(rows),
        paragraph("Where the pixels of each class went, in percent of the label's pixels") + confusion,
    )


def _matrix_width(classes: int) -> int:
    """The least at which it can be read, in CSS pixels; that of many classes has smaller letters and no numbers."""
    return min(30 * classes, 360 + 12 * classes)


def _calibration(summary: RunSummary) -> str:
    seen = summary.inspection
    curves = {"student" if seen.teacher else "network": seen.score.reliability}
    if seen.teacher is not None:
        curves["teacher"] = seen.teacher.reliability
    errors = {f"ECE, {name}": f"{curve.error:.4f}" for name, curve in curves.items() if curve.error is not None}
    explained = (
        "How often pixels are right whose class has a certain softmax probability. On the dotted line the network is "
        "as good as it thinks; below it, it is too sure of itself. ECE, the expected calibration error, is the mean "
        f"distance from that line over all labelled pixels, in {len(seen.score.reliability.pixels)} bins."
    )
    return columns(
        chart(reliability_chart(curves), "reliability: accuracy over confidence"), paragraph(explained) + table(errors)
    )


def _shares(summary: RunSummary) -> str:
    pixels = summary.inspection.outcomes
    share = pixels / max(1, pixels.sum())
    rows = list(zip(OUTCOMES, share.tolist(), OUTCOME_PALETTE, strict=True))
    explained = (
        "Share of the labelled pixels. What only the teacher gets right is left to learn. Below: the images on which "
        "one is right and the other wrong most often."
    )
    return columns(paragraph(explained), bars(rows))


def _costs(summary: RunSummary) -> str:
    own, teacher, spent = summary.cost, summary.teacher_cost, summary.spent
    sizes = grid(
        ["", *(["student", "teacher", "teacher / student"] if teacher else ["network"])],
        [_row("parameters", "parameters", own, teacher), _row("MACs of one image", "macs", own, teacher)],
    )
    step, seconds = spent["step_seconds"], spent["seconds"]
    used = {name: spent[f"{key}_joules"] for name, key in (("processors", "cpu"), ("GPUs", "gpu"))}
    metered = ", ".join(f"{name} {energy(joules)}" for name, joules in used.items() if joules is not None)
    times = {
        "step": f"{1000 * step:.0f} ms" if step is not None else UNKNOWN,
        "training, evaluations included": duration(seconds) if seconds is not None else UNKNOWN,
        "energy of the machine": metered or ("no meter that could be read" if seconds is not None else UNKNOWN),
        "device": summary.environment.get("device"),
    }
    return columns(sizes, table(times))


def _row(title: str, key: str, own: Cost, teacher: Cost | None) -> list[str]:
    mine = getattr(own, key)
    if teacher is None:
        return [title, with_prefix(mine)]
    theirs = getattr(teacher, key)
    return [title, with_prefix(mine), with_prefix(theirs), f"{theirs / max(1, mine):.1f}"]


def _strips(cases: Sequence[Case], summary: RunSummary) -> list[str]:
    colours = [legend(summary.val_set.classes, summary.val_set.palette)]
    if summary.inspection.teacher is not None:
        colours.append(legend(OUTCOMES, OUTCOME_PALETTE))
    return [*colours, *(_strip(case, summary) for case in cases)]


def _strip(case: Case, summary: RunSummary) -> str:
    masks = [("teacher" if summary.config.data.taught else "label", case.sample.label)]
    if case.taught is not None:
        masks.append(("teacher", case.taught))
    masks.append(("prediction" if case.taught is None else "student", case.ids))
    pictures = small_panels(case.sample.image, masks, summary.val_set.palette)
    caption = case.sample.name if case.miou is None else f"{case.sample.name}: mIoU {case.miou:.3f}"
    if case.outcomes is not None:
        pictures += small_panels(case.sample.image, [("who is right", case.outcomes)], OUTCOME_PALETTE, _CLEARLY)[1:]
        caption += f", only one of the two is right on {case.disagreement:.1%}"
    return strip(caption, pictures)
