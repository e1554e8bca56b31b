"""What a student may cost: so many milliseconds for an image of so many pixels."""

import re
from typing import NamedTuple

from train.data.resize import Size
from train.errors import UserError


class Budget(NamedTuple):
    """The longest that one image may take."""

    ms: float
    size: Size


def parse_budget(text: str) -> Budget:
    """``10ms@480x360``: milliseconds, then width and height. `UserError` for anything else."""
    limit, at, size = text.partition("@")
    found = re.fullmatch(r"(\d+(?:\.\d+)?|\.\d+)\s*(?:ms)?", limit.strip())
    if not at or found is None or float(found[1]) == 0:
        raise UserError(f"--budget {text}: not understood: give milliseconds and width x height, as in 10ms@480x360")
    return Budget(float(found[1]), parse_size(size, "--budget"))


def parse_size(text: str, option: str) -> Size:
    """``480x360``, width x height as cameras say it, to ``(height, width)``. `UserError` for anything else."""
    found = re.fullmatch(r"([1-9]\d{0,4})\s*[x×]\s*([1-9]\d{0,4})", text.strip())
    if found is None:
        raise UserError(f"{option} {text}: not understood: give width x height in pixels, as in 480x360")
    return int(found[2]), int(found[1])
