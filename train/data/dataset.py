"""Images with labels, whatever their layout on disk (no torch)."""

from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from train.data.palette import Colour


class Sample(NamedTuple):
    """One image and its label."""

    image: NDArray[np.uint8]
    """RGB ``(H, W, 3)``."""
    label: NDArray[np.uint8]
    """Class ids ``(H, W)``, 255 = ignore."""
    name: str


class Dataset(Protocol):
    """One split of a dataset."""

    name: str
    classes: list[str]
    palette: list[Colour]
    label_map: dict[int, int]
    """What the ids in label files were mapped to."""
    labelled: bool
    """Whether any of its images has a label; where one has none, every pixel of `Sample.label` is ignored."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Sample: ...
