"""All losses at a glance: paper, needs, and what each was measured to cost."""

import csv
from pathlib import Path

from train.losses.contract import LossConfig, Needs
from train.losses.registry import LOSSES
from train.models.taps import Tap

COSTS = Path(__file__).with_name("costs.csv")
"""Made by ``python -m train.losses.cost``."""


def catalogue() -> str:
    """A paragraph a loss, with its start settings."""
    costs = read_costs()
    return "\n\n".join(_paragraph(loss, costs.get(loss.model_fields["name"].default)) for loss in LOSSES)


def _paragraph(loss: type[LossConfig], cost: dict[str, str] | None) -> str:
    name, source = str(loss.model_fields["name"].default), loss.source
    measured = f"{cost['ms']} ms and {cost['mib']} MiB a step ({_scope(cost)})" if cost else "not measured"
    return (
        f"{name:14} {source.title}, {source.url} ({source.trust})\n"
        f"{'':14} needs  {described(loss().needs)}\n"
        f"{'':14} costs  {measured}"
    )


def _scope(cost: dict[str, str]) -> str:
    where = f"{cost['batch']} images of {cost['size']}, {cost['device']}, {cost['threads']} thread"
    return f"alone, as in configs/camvid/{cost['config']}.yaml, {where}"


def read_costs() -> dict[str, dict[str, str]]:
    """The committed measurement by name of the loss."""
    if not COSTS.is_file():
        return {}
    with COSTS.open(encoding="utf-8", newline="") as file:
        return {row["loss"]: row for row in csv.DictReader(file)}


def described(needs: Needs) -> str:
    """Needs in words."""
    words = _both("", needs.student, needs.teacher)
    words += _both(" on a second frame", needs.neighbour_student, needs.neighbour_teacher)
    words += ["labels"] if needs.labels else []
    words += ["optical flow"] if needs.flow else []
    words += ["an adapter"] if needs.adapter else []
    words += ["a memory bank"] if needs.memory_bank else []
    return "; ".join(words)


def _both(where: str, student: frozenset[Tap], teacher: frozenset[Tap]) -> list[str]:
    if student == teacher:
        return [f"both networks{where}: {_listed(student)}"] if student else []
    return [f"{who}{where}: {_listed(taps)}" for who, taps in (("student", student), ("teacher", teacher)) if taps]


def _listed(taps: frozenset[Tap]) -> str:
    """Stages in the order of their strides, after the others."""
    return ", ".join(sorted(taps, key=lambda tap: (tap.startswith("stride:"), len(tap), tap)))
