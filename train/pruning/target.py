"""How small or how fast a pruned network is to be."""

import re
from dataclasses import dataclass
from typing import Literal

from train.errors import UserError
from train.quantities import with_prefix

_MACS = {"": 1.0, "%": 0.01, "k": 1e3, "m": 1e6, "g": 1e9}
_MS = {"": 1.0, "ms": 1.0}


@dataclass(frozen=True)
class Target:
    """The most that one image may cost."""

    quantity: Literal["MACs", "ms"]
    most: float

    def text(self, value: float) -> str:
        """A value of that quantity for people."""
        return f"{with_prefix(value)} MACs" if self.quantity == "MACs" else f"{value:.2f} ms"


def macs_target(text: str, unpruned: int) -> Target:
    """``0.5`` or ``50%`` of the unpruned network's, or ``480M``. `UserError` for anything else."""
    value, unit = _parse("--target-macs", text, _MACS, "a share (0.5, 50%) or a number of MACs (480M, 1.2G)")
    share = value if unit in ("", "%") else value / unpruned
    if unit == "" and value > 1:
        raise UserError(f"--target-macs {text}: more than all: give a share (0.5, 50%) or a unit (480M, 1.2G)")
    return Target("MACs", share * unpruned)


def ms_target(text: str) -> Target:
    """``8`` or ``8ms``. `UserError` for anything else."""
    return Target("ms", _parse("--target-ms", text, _MS, "milliseconds (8, 8ms)")[0])


def _parse(option: str, text: str, units: dict[str, float], known: str) -> tuple[float, str]:
    found = re.fullmatch(r"(\d+\.?\d*|\.\d+)\s*([a-zA-Z%]*)", text.strip())
    if found is None or found[2].lower() not in units or float(found[1]) == 0:
        raise UserError(f"{option} {text}: not understood: give {known}")
    unit = found[2].lower()
    return float(found[1]) * units[unit], unit
