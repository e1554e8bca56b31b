"""Clips every frame of which is a sample of its dataset (no torch)."""

from collections.abc import Callable
from typing import NamedTuple

from train.data.dataset import FramePlace, Sample


class SampleClip(NamedTuple):
    """Indices of samples in the order of time, and their frame rate."""

    indices: list[int]
    frames_per_s: float | None


class SampleClips:
    """The clips of a dataset's own samples, which ``read`` gives by index; each sample is in exactly one clip."""

    flow = None

    def __init__(self, read: Callable[[int], Sample], names: list[str], clips: list[SampleClip]) -> None:
        self._read = read
        self._names = names
        self._clips = clips
        self._places = {
            index: FramePlace(number, frame)
            for number, clip in enumerate(clips)
            for frame, index in enumerate(clip.indices)
        }

    def place(self, index: int) -> FramePlace:
        return self._places[index]

    def length(self, clip: int) -> int:
        return len(self._clips[clip].indices)

    def frames_per_s(self, clip: int) -> float | None:
        return self._clips[clip].frames_per_s

    def name_of(self, place: FramePlace) -> str:
        return self._names[self._index(place)]

    def read(self, place: FramePlace) -> Sample:
        return self._read(self._index(place))

    def _index(self, place: FramePlace) -> int:
        return self._clips[place.clip].indices[place.frame]
