"""Frames of a clip as image files in one folder, in the order of their names (no torch)."""

import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from train.data.folder import list_images
from train.data.image import read_image


class FrameFolder:
    """A folder of frames. Numbers in names count as numbers: ``2.png`` comes before ``10.png``."""

    def __init__(self, path: Path, frames_per_s: float | None) -> None:
        self.path = path
        self.name = path.name
        self.frames_per_s = frames_per_s
        self.files = sorted(list_images(path), key=lambda image: _natural(image.stem))
        """What it is read from: a file each frame."""

    def __len__(self) -> int:
        return len(self.files)

    def frame_name(self, number: int) -> str:
        """The stem of the file."""
        return self.files[number].stem

    def read(self, number: int) -> NDArray[np.uint8]:
        """Frame ``number`` as RGB ``(H, W, 3)``. `UserError` if it cannot be decoded."""
        return read_image(self.files[number])


def _natural(stem: str) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", stem)]
