"""Which images a graph is calibrated on: chosen by a rule that anybody can repeat."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from export.bundle import sha256
from export.manifest import InputSpec
from export.preprocess import preprocess
from train.data.folder import list_images
from train.data.image import read_image
from train.errors import UserError


@dataclass(frozen=True)
class CalibrationImage:
    """One image of the folder, and its content's hash for the manifest."""

    path: Path
    sha256: str

    def read(self, spec: InputSpec) -> NDArray[np.uint8]:
        """As the graph takes it: ``(1, spec.height, spec.width, 3)``.

        Raises:
            UserError: it cannot be read, or has one colour and so no ranges to learn from.
        """
        pixels = read_image(self.path)
        if (pixels == pixels[0, 0]).all():
            raise UserError(f"{self.path}: is of one colour and says nothing of a layer's range: take it out")
        return preprocess(pixels, spec)


def choose_images(folder: Path, count: int, seed: int) -> list[CalibrationImage]:
    """``count`` images of a folder, or all where it has fewer, by name.

    The rule: those whose SHA-256 of ``"<seed>:<file name>"`` is smallest. It depends on no library's random numbers,
    and an image that is added to the folder takes the place of one other at most.

    Raises:
        UserError: the folder is missing or has no images.
    """
    ranked = sorted(list_images(folder), key=lambda path: hashlib.sha256(f"{seed}:{path.name}".encode()).digest())
    return [CalibrationImage(path, sha256(path)) for path in sorted(ranked[:count])]
