"""Middlebury's .flo files: a magic number, width, height, and float32 x and y of each pixel, little-endian (no torch).

Format: Baker et al., "A Database and Evaluation Methodology for Optical Flow", IJCV 2011, https://vision.middlebury.edu/flow
"""

import struct
from pathlib import Path

import numpy as np

from train.data.flow.field import Flow, inside
from train.data.resize import Size
from train.errors import UserError

_MAGIC = b"PIEH"  # 202021.25 as a float32
_HEADER = struct.Struct("<4sii")
_LARGEST_SIDE = 99_999
_UNKNOWN = 1e9
"""A displacement larger than this says that there is none."""


def read_flo(path: Path) -> Flow:
    """The flow of a file, visible where it is known and stays inside. `UserError` names a file that is none."""
    height, width = check_flo(path)
    try:
        raw = np.fromfile(path, "<f4", offset=_HEADER.size).reshape(height, width, 2)
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: cannot be read ({error}): write it again") from None
    known = (np.abs(raw) < _UNKNOWN).all(axis=-1)  # false for NaN as well
    displacement = np.where(known[..., None], raw, 0).astype(np.float32)
    return Flow(displacement, known & inside(displacement))


def write_flo(path: Path, flow: Flow) -> None:
    """Write a flow whole or not at all; what is not visible becomes unknown."""
    height, width = flow.visible.shape
    raw = np.where(flow.visible[..., None], flow.displacement, 2 * _UNKNOWN).astype("<f4")
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.write_bytes(_HEADER.pack(_MAGIC, width, height) + raw.tobytes())
    temporary.replace(path)


def check_flo(path: Path) -> Size:
    """Height and width of a file, from its first bytes and its length alone. `UserError` if it is no whole .flo."""
    try:
        with path.open("rb") as file:
            header = file.read(_HEADER.size)
        length = path.stat().st_size
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}): write the flow there") from None
    if len(header) < _HEADER.size or not header.startswith(_MAGIC):
        raise UserError(f"{path}: not a .flo file: write it in Middlebury's format")
    _, width, height = _HEADER.unpack(header)
    if not (0 < width <= _LARGEST_SIDE and 0 < height <= _LARGEST_SIDE):
        raise UserError(f"{path}: announces {width} x {height} pixels: write it again in Middlebury's format")
    if length != _HEADER.size + 8 * width * height:
        raise UserError(f"{path}: {length} bytes do not hold {width} x {height} pixels: write it again")
    return height, width
