"""What a bundle is compared on: real images, with labels where there are any (no torch)."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from train.data.dataset import Dataset
from train.data.folder import list_images
from train.data.image import read_image
from train.data.label import read_label
from train.data.open import open_dataset
from train.data.spec import DataConfig
from train.errors import UserError


@dataclass(frozen=True)
class Picture:
    """An image to compare on, with its label where there is one."""

    name: str
    image: NDArray[np.uint8]
    label: NDArray[np.uint8] | None = None


@dataclass(frozen=True)
class Pictures:
    """A set of pictures that can be gone through again and again."""

    source: str
    split: str
    count: int
    read: Callable[[int], Picture]

    def __iter__(self) -> Iterator[Picture]:
        return (self.read(index) for index in range(self.count))

    def digest(self) -> str:
        """Hex sha256 of all pixels and labels: the same pictures again, or others."""
        digest = sha256()
        for picture in self:
            for pixels in (picture.image, picture.label):
                if pixels is not None:
                    digest.update(f"{picture.name}{pixels.shape}".encode())
                    digest.update(np.ascontiguousarray(pixels).data)
        return digest.hexdigest()


def from_dataset(data: DataConfig) -> Pictures:
    """The val split that the student was chosen on."""
    dataset = open_dataset(data, data.val_split)
    return Pictures(data.layout, data.val_split, len(dataset), lambda index: _sample(dataset, index))


def from_folder(images: Path, masks: Path | None, data: DataConfig) -> Pictures:
    """A folder of images, with index or colour masks of the same stems where ``masks`` is given."""
    paths = list_images(images)
    return Pictures(str(images), "all", len(paths), lambda index: _file(paths[index], masks, data))


def choose_pictures(images: Path | None, masks: Path | None, data: DataConfig) -> Pictures:
    """The folder where one is given, else the val split.

    Raises:
        UserError: there are masks without images.
    """
    if masks and not images:
        raise UserError(f"--masks {masks}: needs --images, the folder of the images that they label")
    return from_folder(images, masks, data) if images else from_dataset(data)


def _sample(dataset: Dataset, index: int) -> Picture:
    sample = dataset[index]
    return Picture(sample.name, sample.image, sample.label if dataset.labelled else None)


def _file(path: Path, masks: Path | None, data: DataConfig) -> Picture:
    label = None
    if masks is not None:
        label = read_label(masks / f"{path.stem}.png", len(data.classes), data.label_map, list(data.palette))
    return Picture(path.stem, read_image(path), label)
