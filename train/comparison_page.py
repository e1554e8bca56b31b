"""The page that shows several runs side by side."""

from train.charts import loss_chart, reliability_chart, score_chart
from train.comparison import Comparison
from train.pictures import small_panels
from train.web_page import WebPage, chart, columns, grid, legend, paragraph, strip


def comparison_page(comparison: Comparison) -> WebPage:
    """The whole page."""
    first = comparison.runs[0]
    splits = ", ".join(dict.fromkeys(summary.val_set.name for summary in comparison.runs))
    page = WebPage(f"{len(comparison.runs)} runs", f"{' · '.join(comparison.names)}, scored on {splits}")
    scores, cost = comparison.scores, comparison.cost
    warning = [paragraph(comparison.warning)] if comparison.warning else []
    page.section(scores.title, *warning, grid(scores.head, scores.rows))
    page.section(cost.title, grid(cost.head, cost.rows))
    if all(summary.history.evaluations for summary in comparison.runs):
        page.section("Training", _curves(comparison))
    explained = paragraph(f"In brackets: the difference from {comparison.names[0]}.")
    page.section(comparison.classes.title, explained, grid(comparison.classes.head, comparison.classes.rows))
    page.section("Calibration", _calibration(comparison))
    if not comparison.warning:
        colours = legend(first.val_set.classes, first.val_set.palette)
        page.section("Pictures", colours, *_strips(comparison))
    differences = comparison.differences
    page.section(differences.title, grid(differences.head, differences.rows))
    return page


def _curves(comparison: Comparison) -> str:
    histories = dict(zip(comparison.names, (summary.history for summary in comparison.runs), strict=True))
    scores = score_chart({name: history.score("miou") for name, history in histories.items()}, "mIoU on the val split")
    losses = [history.losses() for history in histories.values()]
    parts = [chart(scores, "mIoU on the val split over steps")]
    for term in (term for term in losses[0] if all(term in other for other in losses)):
        curves = {name: loss[term] for name, loss in zip(histories, losses, strict=True)}
        parts.append(chart(loss_chart(curves, title=f"{term}, weighted"), f"the loss {term} over steps"))
    return columns(*parts)


def _calibration(comparison: Comparison) -> str:
    curves = [summary.inspection.score.reliability for summary in comparison.runs]
    named = dict(zip(comparison.names, curves, strict=True))
    errors = [[name, "absent" if curve.error is None else f"{curve.error:.4f}"] for name, curve in named.items()]
    return columns(
        chart(reliability_chart(named), "reliability: accuracy over confidence"), grid(["run", "ECE"], errors)
    )


def _strips(comparison: Comparison) -> list[str]:
    first = comparison.runs[0]
    strips = []
    for cases in zip(*(summary.inspection.shown for summary in comparison.runs), strict=True):
        sample = cases[0].sample
        seen = zip(comparison.names, (case.ids for case in cases), strict=True)
        pictures = small_panels(sample.image, [("label", sample.label), *seen], first.val_set.palette)
        strips.append(strip(sample.name, pictures))
    return strips
