"""Images with labels, whatever their layout on disk, and the clips that they are frames of (no torch)."""

from collections.abc import Callable
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from train.data.flow import Flow
from train.data.palette import Colour


class Sample(NamedTuple):
    """One image and its label."""

    image: NDArray[np.uint8]
    """RGB ``(H, W, 3)``."""
    label: NDArray[np.uint8]
    """Class ids ``(H, W)``, 255 = ignore."""
    name: str
    labelled: bool = True
    """False: there is no label, and every pixel of `label` is ignored."""


class FramePlace(NamedTuple):
    """Where a frame stands: the number of its clip in the dataset, and its own number in the clip, both from 0."""

    clip: int
    frame: int

    def later(self, gap: int) -> "FramePlace":
        """The place ``gap`` frames later; negative: earlier."""
        return FramePlace(self.clip, self.frame + gap)


class Clips(Protocol):
    """The clips that the samples of a dataset are frames of."""

    def place(self, index: int) -> FramePlace:
        """Where the sample of an index stands."""
        ...

    def length(self, clip: int) -> int:
        """Frames of a clip."""
        ...

    def frames_per_s(self, clip: int) -> float | None:
        """Frame rate of a clip; None: not known."""
        ...

    def name_of(self, place: FramePlace) -> str:
        """The name of a frame, without reading it."""
        ...

    def read(self, place: FramePlace) -> Sample:
        """A frame, a sample of the dataset or not. Without a label, every pixel of its label is ignored."""
        ...

    @property
    def flow(self) -> Callable[[FramePlace, int], Flow] | None:
        """The exact flow from a frame to the one so many frames later; None: not known."""
        ...


class Dataset(Protocol):
    """One split of a dataset."""

    name: str
    classes: list[str]
    palette: list[Colour]
    label_map: dict[int, int]
    """What the ids in label files were mapped to."""
    labelled: bool
    """Whether any of its images has a label; where one has none, every pixel of `Sample.label` is ignored."""

    @property
    def clips(self) -> Clips | None:
        """What other frames there are; None: its images are not frames of clips."""
        ...

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Sample: ...


def has_frame(clips: Clips, place: FramePlace) -> bool:
    """Whether there is a frame at a place."""
    return 0 <= place.frame < clips.length(place.clip)
