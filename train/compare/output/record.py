"""All figures of a comparison for a machine: plain values, shares in 0..1, None for what there is not."""

import json
import math
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np

from train.compare.findings import ArmFindings, Findings, Scored
from train.compare.output.headlines import headline
from train.compare.results import Arm, RunScores
from train.compare.spread import Spread
from train.compare.statistics import Difference

Row = dict[str, str | int | float | None]
_SHARES = ("miou", "last_miou", "macc", "pixel_accuracy", "boundary_f", "tc", "flips_per_s")


def record(findings: Findings) -> dict[str, Any]:
    """Everything but the confusion matrices."""
    values: dict[str, Any] = plain(findings.results)
    arms = [arm for found in findings.students for arm in found.arms]
    found = {(arm.arm.student, arm.method): _found(arm) for arm in arms}
    values["arms"] = [{**arm, "found": found.get((arm["student"], arm["method"]))} for arm in values["arms"]]
    values["headlines"] = {one.student.name: headline(one) for one in findings.students}
    return values


def plain(value: Any) -> Any:
    """What JSON can hold: no NaN, no matrices, keys as text."""
    if is_dataclass(value):
        there = {field.name: getattr(value, field.name) for field in fields(value)}
        shown = {"shown": value.shown} if isinstance(value, Difference) else {}
        return {name: plain(one) for name, one in there.items() if not isinstance(one, np.ndarray)} | shown
    if isinstance(value, dict):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    if isinstance(value, float):  # NumPy's too, which would be printed by another name
        return float(value) if math.isfinite(value) else None
    return value


def arm_rows(findings: Findings) -> list[Row]:
    """A row an arm."""
    return [_arm_row(arm) for found in findings.students for arm in found.arms]


def run_rows(findings: Findings) -> list[Row]:
    """A row a run and split."""
    rows = []
    for arm in (arm.arm for found in findings.students for arm in found.arms):
        for split, scored in (("val", arm.runs), ("test", arm.tested)):
            rows += [_run_row(arm, split, run) for run in scored]
    return rows


def _found(arm: ArmFindings) -> dict[str, Any]:
    values: dict[str, Any] = plain(arm)
    del values["arm"]
    return values


def _arm_row(found: ArmFindings) -> Row:
    arm = found.arm
    row: Row = {"student": arm.student, "method": arm.method, "kind": arm.kind, "losses": " ".join(arm.losses)}
    row |= {"steps": arm.steps, "seeds": len(arm.runs), "parameters": json.dumps(arm.parameters)}
    row |= _scored_cells(found.val, "")
    row |= {"seconds": found.seconds, "cpu_joules": found.cpu_joules, "gpu_joules": found.gpu_joules}
    if found.test is not None:
        row |= _scored_cells(found.test, "test_")
    return {name: plain(value) for name, value in row.items()}


def _scored_cells(scored: Scored, prefix: str) -> Row:
    row: Row = {}
    for name in _SHARES:
        found: Spread | None = getattr(scored, name)
        row[f"{prefix}{name}"] = found.mean if found else None
        row[f"{prefix}{name}_std"] = found.std if found else None
    for name, one in scored.against.items():
        row[f"{prefix}to_{name}"] = one.mean
        row |= {
            f"{prefix}to_{name}_{key}": value for key, value in (("low", one.low), ("high", one.high), ("p", one.p))
        }
        row[f"{prefix}to_{name}_shown"] = int(one.shown)
    return row


def _run_row(arm: Arm, split: str, run: RunScores) -> Row:
    row: Row = {"student": arm.student, "method": arm.method, "split": split}
    row |= {
        field.name: getattr(run, field.name) for field in fields(run) if field.name not in ("class_iou", "matrices")
    }
    row |= {f"iou_{name}": value for name, value in run.class_iou.items()}
    return {name: plain(value) for name, value in row.items()}
