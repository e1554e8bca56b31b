"""The page of a comparison: what is shown comes first, then the figures, and behind clicks how they were made."""

import yaml

from train.compare.findings import Findings, StudentFindings
from train.compare.output.charts import Chart, Charts, StudentCharts
from train.compare.output.headlines import headline
from train.compare.output.record_tables import record_tables
from train.compare.output.tables import among_methods, classes, other_scores, scores, students, tests
from train.compare.output.wording import CHANCE, COLOURED, EXPLAINED, MARKED, gain, points
from train.table import Table, filled
from train.web_page import Card, WebPage, bullets, chart, columns, grid, paragraph, preformatted, scrolling_chart

_CLASS_PIXELS = 46
"""Of a column of the classes' chart, at which it can be read."""


def compare_page(findings: Findings, charts: Charts) -> WebPage:
    """The whole page."""
    results = findings.results
    height, width = results.size
    seeds = f"{len(results.seeds)} seeds" if len(results.seeds) > 1 else "one seed"
    page = WebPage(results.name, f"{results.dataset}: {results.val_images} images at {height} × {width}, {seeds}")
    page.cards(_cards(findings))
    said = bullets(headline(found)[0] for found in findings.students)
    explained = paragraph(f"{EXPLAINED} {CHANCE}")
    page.section("What is shown", columns(said + explained, _chart(charts.cost)))
    if results.notes:
        page.section("What is not shown", bullets(results.notes))
    page.section("Students", _grid(students(findings)))
    for found, own in zip(findings.students, charts.students, strict=True):
        _student(page, found, own)
    for table in tests(findings):
        page.section(table.title, _grid(table))
    for table in filled(record_tables(results)):
        page.folded(table.title, _grid(table))
    again = yaml.safe_dump(results.config, sort_keys=False, allow_unicode=True)
    page.folded("The same again", preformatted(f"{results.command}\n\n{again}"))
    return page


def _cards(findings: Findings) -> list[Card]:
    """The best method of each student, and the teacher."""
    cards = []
    for found in findings.students:
        best = found.best
        baseline = found.baseline.method
        note = f"{best.method} against {baseline}: {gain(best.val.against.get(baseline))}"
        if found.longer is not None and found.longer is not best:
            note += f"; {found.longer.method}: {points(found.longer.val.miou.mean)}"
        cards.append(Card(f"{found.student.name}, mIoU", points(best.val.miou.mean), note))
    teacher = findings.results.teacher
    if teacher:
        cards.append(Card("teacher, mIoU", points(teacher["miou"]), teacher["title"]))
    return cards


def _student(page: WebPage, found: StudentFindings, charts: StudentCharts) -> None:
    pictures = [_chart(picture) for picture in (charts.differences, charts.time) if picture]
    page.section(found.student.name, bullets(headline(found)[1:]), columns(*pictures), _grid(scores(found)))
    for table in filled([among_methods(found), other_scores(found)]):
        page.folded(table.title, _grid(table))
    if charts.classes is not None:
        least = 120 + _CLASS_PIXELS * len(found.baseline.val.class_iou)
        picture = scrolling_chart(charts.classes.png, charts.classes.description, least)
        page.section(f"{found.student.name}: classes", paragraph(COLOURED), picture)
        table = classes(found)
        page.folded(table.title, paragraph(MARKED), _grid(table))


def _chart(picture: Chart) -> str:
    return chart(picture.png, picture.description)


def _grid(table: Table) -> str:
    return grid(table.head, table.rows)
