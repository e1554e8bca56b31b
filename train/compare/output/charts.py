"""All pictures of a comparison, drawn once for its page and for files beside it (no torch)."""

from collections.abc import Iterator
from dataclasses import dataclass

from train.compare.findings import Findings, StudentFindings
from train.compare.output.cost_charts import student_chart, time_chart
from train.compare.output.difference_charts import class_chart, forest_chart


@dataclass(frozen=True)
class Chart:
    """A picture, and what is to be seen on it."""

    name: str
    """Of its file, without ``.png``."""
    png: bytes
    description: str


@dataclass(frozen=True)
class StudentCharts:
    """Of one student; None: there is nothing to draw."""

    differences: Chart | None
    time: Chart | None
    classes: Chart | None


@dataclass(frozen=True)
class Charts:
    """Of a whole comparison."""

    cost: Chart
    students: list[StudentCharts]

    def __iter__(self) -> Iterator[Chart]:
        """All there are."""
        yield self.cost
        for own in self.students:
            yield from filter(None, (own.differences, own.time, own.classes))


def draw(findings: Findings) -> Charts:
    """Draw all."""
    cost = Chart("accuracy-latency", student_chart(findings), "mIoU of the students over their cost")
    return Charts(cost, [_draw_student(found) for found in findings.students])


def _draw_student(found: StudentFindings) -> StudentCharts:
    name = found.student.name

    def chart(kind: str, png: bytes | None, description: str) -> Chart | None:
        return None if png is None else Chart(f"{name}-{kind}", png, f"{name}: {description}")

    return StudentCharts(
        chart("differences", forest_chart(found), "difference in mIoU to the baseline, with its interval"),
        chart("time", time_chart(found), "mIoU over training time"),
        chart("classes", class_chart(found), "difference in IoU to the baseline, by class"),
    )
