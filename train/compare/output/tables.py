"""The tables that answer what was asked: which method helps which student, by how much, at what cost."""

from collections.abc import Callable

from train.compare.findings import ArmFindings, Findings, StudentFindings
from train.compare.output.wording import (
    MARK,
    PER_SECOND,
    listed,
    mean,
    mean_and_std,
    points,
    probability,
    signed,
    verdict,
)
from train.compare.statistics import Difference
from train.quantities import duration, energy, with_prefix
from train.table import NOTHING, Table


def scores(found: StudentFindings) -> Table:
    """Each arm: mIoU, what it gains on the baseline, other scores, and what its training takes."""
    baseline = found.baseline.method
    columns: dict[str, Callable[[ArmFindings], str]] = {
        "mIoU, best": lambda arm: mean_and_std(arm.val.miou),
        "mIoU, last": lambda arm: mean_and_std(arm.val.last_miou),
        f"to {baseline}": _against(baseline, verdict),
        "p": _against(baseline, probability),
        "mAcc": lambda arm: mean(arm.val.macc),
        "boundary F": lambda arm: mean(arm.val.boundary_f),
        "TC": lambda arm: mean(arm.val.tc),
        "training": lambda arm: _or_nothing(arm.seconds, duration),
        "steps": lambda arm: str(arm.arm.steps),
        "energy, processors": lambda arm: _or_nothing(arm.cpu_joules, energy),
        "energy, GPUs": lambda arm: _or_nothing(arm.gpu_joules, energy),
    }
    return _filled(f"{found.student.name}: scores on val, and cost", columns, found.arms)


def among_methods(found: StudentFindings) -> Table:
    """mIoU of each method less that of other arms than the baseline; no columns: there are none."""
    columns: dict[str, Callable[[ArmFindings], str]] = {}
    for name in found.further_references:
        columns |= {f"to {name}": _against(name, verdict), f"p, to {name}": _against(name, probability)}
    return _filled(f"{found.student.name}: mIoU against {listed(found.further_references)}", columns, found.methods)


def other_scores(found: StudentFindings) -> Table:
    """What else was measured of each arm, with its spread over seeds, and what it gains on the baseline."""
    to = f"to {found.baseline.method}"
    columns: dict[str, Callable[[ArmFindings], str]] = {
        "mIoU, last": lambda arm: mean_and_std(arm.val.last_miou),
        f"mIoU, last, {to}": lambda arm: verdict(arm.val.to_baseline.get("last_miou")),
        "mAcc": lambda arm: mean_and_std(arm.val.macc),
        f"mAcc, {to}": lambda arm: verdict(arm.val.to_baseline.get("macc")),
        "pixel accuracy": lambda arm: mean_and_std(arm.val.pixel_accuracy),
        "boundary F": lambda arm: mean_and_std(arm.val.boundary_f),
        f"boundary F, {to}": lambda arm: verdict(arm.val.to_baseline.get("boundary_f")),
        "TC": lambda arm: mean_and_std(arm.val.tc),
        f"TC, {to}": lambda arm: verdict(arm.val.to_baseline.get("tc")),
        "label flips /s, fewer are better": lambda arm: mean_and_std(arm.val.flips_per_s, PER_SECOND),
        f"label flips /s, {to}": lambda arm: verdict(arm.val.to_baseline.get("flips_per_s"), PER_SECOND),
    }
    return _filled(f"{found.student.name}: other scores on val", columns, found.arms)


def classes(found: StudentFindings) -> Table:
    """IoU of each class: the baseline's, and how far the others are from it."""
    others = [arm for arm in found.arms if arm.classes]
    base = found.baseline.val.class_iou
    rows = []
    for name, iou in base.items():
        deltas = [arm.classes.get(name) for arm in others]
        cells = [NOTHING if one is None else signed(one.mean) + MARK * one.shown for one in deltas]
        rows.append([name, points(iou.mean if iou else None), *cells])
    title = f"{found.student.name}: IoU of each class, and the difference to {found.baseline.method}"
    return Table(title, ["class", found.baseline.method, *(arm.method for arm in others)], rows)


def students(findings: Findings) -> Table:
    """Size, speed and the best method of each student, and how far it is behind the teacher."""
    teacher = findings.results.teacher
    behind = ["to the teacher"] if teacher else []
    head = ["student", "parameters", "MACs of an image", "latency", "best method", "mIoU, best", *behind]
    rows = []
    for found in findings.students:
        student, best = found.student, found.best
        latency = _or_nothing(student.latency_ms, lambda value: f"{value:.1f} ms")
        size = [with_prefix(student.parameters), with_prefix(student.macs), latency]
        gap = [signed(best.val.miou.mean - teacher["miou"])] if teacher else []
        rows.append([student.name, *size, best.method, mean_and_std(best.val.miou), *gap])
    if teacher:
        size = [_or_nothing(teacher["parameters"], with_prefix), NOTHING, NOTHING]
        rows.append([f"teacher: {teacher['title']}", *size, NOTHING, points(teacher["miou"]), NOTHING])
    return Table("Students", head, rows)


def tests(findings: Findings) -> list[Table]:
    """The test split, a table a student; none: there is no such split."""
    return [_test(found) for found in findings.students if any(arm.test for arm in found.arms)]


def main_tables(findings: Findings) -> list[Table]:
    """Those that a document holds."""
    tables = [students(findings)]
    for found in findings.students:
        tables += [scores(found), among_methods(found), other_scores(found), classes(found)]
    return tables + tests(findings)


def _test(found: StudentFindings) -> Table:
    baseline = found.baseline.method
    tested = [(arm, arm.test) for arm in found.arms if arm.test]
    rows = []
    for arm, test in tested:
        difference = test.against.get(baseline)
        cells = [mean_and_std(test.miou), mean_and_std(test.last_miou), verdict(difference), probability(difference)]
        rows.append([arm.method, *cells, mean_and_std(test.macc), mean_and_std(test.boundary_f)])
    head = ["method", "mIoU, best on val", "mIoU, last", f"to {baseline}", "p", "mAcc", "boundary F"]
    return Table(f"{found.student.name}: the test split, scored once", head, rows)


def _filled(title: str, columns: dict[str, Callable[[ArmFindings], str]], arms: list[ArmFindings]) -> Table:
    """A row an arm; a column that none has anything in is left out."""
    cells = {name: [cell(arm) for arm in arms] for name, cell in columns.items()}
    there = {name: column for name, column in cells.items() if set(column) != {NOTHING}}
    rows = [[arm.method, *own] for arm, *own in zip(arms, *there.values(), strict=True)]
    return Table(title, ["method", *there], rows)


def _against(name: str, shown: Callable[[Difference | None], str]) -> Callable[[ArmFindings], str]:
    return lambda arm: shown(arm.val.against.get(name))


def _or_nothing(value: float | None, shown: Callable[[float], str]) -> str:
    return NOTHING if value is None else shown(value)
