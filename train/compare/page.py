"""The page of a comparison: what is shown comes first, then the figures, and behind clicks how they were made."""

from train.compare.charts import Chart, Charts, StudentCharts
from train.compare.findings import Findings, StudentFindings
from train.compare.headlines import headline
from train.compare.record_tables import record_tables
from train.compare.tables import classes, other_scores, scores, students, tests
from train.compare.wording import CHANCE, EXPLAINED, MARKED, points, verdict
from train.table import Table
from train.web_page import Card, WebPage, chart, columns, grid, paragraph, preformatted, scrolling_chart

_CLASS_PIXELS = 46
"""Of a column of the classes' chart, at which it can be read."""


def compare_page(findings: Findings, charts: Charts) -> WebPage:
    """The whole page."""
    results = findings.results
    height, width = results.size
    seeds = f"{len(results.seeds)} seeds" if len(results.seeds) > 1 else "one seed"
    page = WebPage(results.name, f"{results.dataset}: {results.val_images} images at {height} × {width}, {seeds}")
    page.cards(_cards(findings))
    page.section("What is shown", *(paragraph(" ".join(headline(found))) for found in findings.students))
    if results.notes:
        page.section("What is not shown", *map(paragraph, results.notes))
    for found, own in zip(findings.students, charts.students, strict=True):
        _student(page, found, own)
    page.section("Students and what they cost", columns(_chart(charts.cost), _grid(students(findings))))
    for table in tests(findings):
        page.section(table.title, _grid(table))
    for table in record_tables(results):
        page.folded(table.title, _grid(table))
    page.folded("The same again", preformatted(results.command))
    return page


def _cards(findings: Findings) -> list[Card]:
    """The best method of each student, and the teacher."""
    cards = []
    for found in findings.students:
        best = found.best
        against = verdict(best.val.against.get(found.baseline.method))
        cards.append(Card(found.student.name, points(best.val.miou.mean), f"{best.method}: {against}"))
    teacher = findings.results.teacher
    if teacher:
        cards.append(Card("teacher", points(teacher["miou"]), teacher["title"]))
    return cards


def _student(page: WebPage, found: StudentFindings, charts: StudentCharts) -> None:
    pictures = [_chart(picture) for picture in (charts.differences, charts.time) if picture]
    page.section(found.student.name, paragraph(EXPLAINED), columns(*pictures), _grid(scores(found)))
    other = other_scores(found)
    page.folded(other.title, _grid(other))
    if charts.classes is not None:
        least = 120 + _CLASS_PIXELS * len(found.baseline.val.class_iou)
        picture = scrolling_chart(charts.classes.png, charts.classes.description, least)
        page.section(f"{found.student.name}: classes", paragraph(f"{MARKED} {CHANCE}"), picture)
    table = classes(found)
    page.folded(table.title, _grid(table))


def _chart(picture: Chart) -> str:
    return chart(picture.png, picture.description)


def _grid(table: Table) -> str:
    return grid(table.head, table.rows)
