"""Tileable fractal noise, from which every texture takes its irregularity."""

from functools import cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Kind = Literal["grain", "patches"]

_SIDE = 256
_FIELDS = 8
_FALL = {"grain": 0.5, "patches": 1.7}  # exponent of the amplitude spectrum: the larger, the smoother


def noise(rng: np.random.Generator, size: tuple[int, int], kind: Kind) -> NDArray[np.float32]:
    """Zero-mean noise of unit deviation; tileable. The sides of ``size`` must divide 256."""
    field = _fields(kind)[rng.integers(_FIELDS)]
    y, x = rng.integers(0, _SIDE, 2)
    return field[y : y + _SIDE : _SIDE // size[0], x : x + _SIDE : _SIDE // size[1]]


@cache
def _fields(kind: Kind) -> list[NDArray[np.float32]]:
    """The same for every clip: clips differ by which field they take and where they cut it."""
    white = np.random.default_rng(_SIDE).standard_normal((_FIELDS, _SIDE, _SIDE))
    frequency = np.hypot(np.fft.fftfreq(_SIDE)[:, None], np.fft.rfftfreq(_SIDE)[None]) * _SIDE
    frequency[0, 0] = np.inf
    fields = np.fft.irfft2(np.fft.rfft2(white) / frequency ** _FALL[kind])
    fields /= fields.std(axis=(1, 2), keepdims=True)
    return [np.tile(field, (2, 2)) for field in fields.astype(np.float32)]
