"""Read a label file: class ids from grey, palette or colour masks (no torch)."""

import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from train.data.palette import IGNORE_INDEX, Colour
from train.errors import UserError


class UnknownLabelError(UserError):
    """An id or a colour that belongs to no class."""


def read_label(path: Path, classes: int, label_map: dict[int, int], palette: list[Colour]) -> NDArray[np.uint8]:
    """Class ids ``(H, W)`` of an index mask (grey or palette) or a colour mask (RGB, looked up in ``palette``).

    Raises:
        UnknownLabelError: a colour or an id that belongs to no class.
        UserError: unreadable, or colours without a palette.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise _unreadable(str(path), error) from None
    return decode_label(data, str(path), classes, label_map, palette)


def decode_label(
    data: bytes, where: str, classes: int, label_map: dict[int, int], palette: list[Colour]
) -> NDArray[np.uint8]:
    """The same of the bytes of a file; ``where`` they are from begins the message of an error."""
    try:
        with Image.open(io.BytesIO(data)) as file:
            raw = np.asarray(file.convert("RGB") if file.mode not in ("L", "P", "1", "I", "I;16") else file)
    except Exception as error:  # on damaged bytes Pillow raises more than OSError: SyntaxError, ValueError, …
        raise _unreadable(where, error) from None
    ids = _colours_to_ids(where, raw, palette) if raw.ndim == 3 else raw
    return _map_ids(where, ids, classes, label_map)


def _unreadable(where: str, error: Exception) -> UserError:
    reason = " ".join(str(error).split())
    return UserError(f"{where}: the label cannot be read ({reason}): replace or remove the image and its label")


def _map_ids(where: str, ids: NDArray[np.generic], classes: int, label_map: dict[int, int]) -> NDArray[np.uint8]:
    table = np.full(1 << 16, -1, np.int32)
    table[:classes] = np.arange(classes)
    table[IGNORE_INDEX] = IGNORE_INDEX
    for raw, mapped in label_map.items():
        table[raw] = mapped
    mapped_ids = table[ids.astype(np.uint16)]
    if mapped_ids.min(initial=0) < 0:
        unknown = np.unique(ids[mapped_ids < 0]).tolist()
        raise UnknownLabelError(
            f"{where}: label ids {unknown[:8]} are outside the {classes} classes: map them in data.label_map "
            f"(id: {IGNORE_INDEX} ignores one) or add the missing classes"
        )
    return mapped_ids.astype(np.uint8)


def _colours_to_ids(where: str, colours: NDArray[np.generic], palette: list[Colour]) -> NDArray[np.uint8]:
    if not palette:
        raise UserError(
            f"{where}: a colour mask needs a palette: set data.palette or write 'name r g b' in classes.txt"
        )
    codes = colours.astype(np.int64) @ np.array([1 << 16, 1 << 8, 1])
    ids = np.full(codes.shape, IGNORE_INDEX, np.uint8)
    for index, (red, green, blue) in enumerate(palette):
        ids[codes == (red << 16 | green << 8 | blue)] = index
    unknown = colours[(ids == IGNORE_INDEX) & (codes != 0) & (codes != 0xFFFFFF)]
    if len(unknown):
        raise UnknownLabelError(
            f"{where}: colour {tuple(unknown[0].tolist())} is in no class of the palette (black and white are ignored)"
        )
    return ids
