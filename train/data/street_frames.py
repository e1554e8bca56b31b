"""The generated dataset `streets` as a split of images and labels (no torch)."""

from functools import lru_cache
from typing import NamedTuple

from train.data.dataset import FramePlace, Sample
from train.data.flow import Flow
from train.data.palette import Colour
from train.data.resize import Size
from train.data.spec import DatasetSpec
from train.data.streets import CLASSES, FRAMES, FRAMES_PER_S, PALETTE, Clip, Frame
from train.errors import UserError

_SPLIT_SEEDS = {"train": 0, "val": 1 << 20, "test": 2 << 20}  # far apart, so that no world is in two splits
_KEPT_BYTES = 512 << 20  # a process: the default train split fits, with a neighbour on each side of every sample


class _Rendered(NamedTuple):
    """What was made of one clip together: frames, or the flow from them, by their numbers."""

    samples: dict[int, Sample]
    flows: dict[int, Flow]

    @property
    def nbytes(self) -> int:
        images = sum(sample.image.nbytes + sample.label.nbytes for sample in self.samples.values())
        return images + sum(flow.displacement.nbytes + flow.visible.nbytes for flow in self.flows.values())


class StreetFrames:
    """Frames of generated clips; `clips` is the dataset itself.

    To build a clip takes longer than to render a frame of it. So when a frame is asked for, all those that stand in the
    same place between two samples are rendered, and kept while there is room; the same goes for flow.
    """

    def __init__(self, spec: DatasetSpec, split: str) -> None:
        if split not in _SPLIT_SEEDS:
            raise UserError(f"data: streets has the splits {', '.join(_SPLIT_SEEDS)}, not '{split}'")
        if spec.streets.frames > FRAMES:
            raise UserError(f"data.streets.frames: {spec.streets.frames}: a clip has {FRAMES} frames")
        self.name = f"streets/{split}"
        self.classes: list[str] = list(CLASSES)
        self.palette: list[Colour] = list(PALETTE)
        self.label_map: dict[int, int] = {}
        self.labelled = True
        self._streets = spec.streets
        self._first_seed = _SPLIT_SEEDS[split] + spec.streets.seed * 10_000
        self._clips = spec.streets.clips if split == "train" else spec.streets.val_clips
        self._stride = FRAMES // spec.streets.frames
        self._kept: dict[tuple[int, int, int], _Rendered] = {}  # by clip, distance from a sample, and gap of the flow
        self._kept_bytes = 0

    @property
    def clips(self) -> "StreetFrames":
        return self

    def __len__(self) -> int:
        return self._clips * self._streets.frames

    def __getitem__(self, index: int) -> Sample:
        return self.read(self.place(index))

    def place(self, index: int) -> FramePlace:
        clip, frame = divmod(range(len(self))[index], self._streets.frames)
        # Neighbouring frames are nearly the same picture: spread over the clip they teach more.
        return FramePlace(clip, frame * self._stride)

    def length(self, _clip: int) -> int:
        return FRAMES

    def frames_per_s(self, _clip: int) -> float:
        return FRAMES_PER_S

    def name_of(self, place: FramePlace) -> str:
        return f"clip{place.clip:03d}_frame{place.frame:03d}"

    def read(self, place: FramePlace) -> Sample:
        return self._rendered(place, 0).samples[place.frame]

    def flow(self, place: FramePlace, gap: int) -> Flow:
        return self._rendered(place, gap).flows[place.frame]

    def _rendered(self, place: FramePlace, gap: int) -> _Rendered:
        key = (place.clip, place.frame % self._stride, gap)
        if key in self._kept:
            return self._kept[key]
        if self._kept_bytes >= _KEPT_BYTES:
            return self._render(place.clip, [place.frame], gap)
        alike = range(place.frame % self._stride, FRAMES, self._stride)
        self._kept[key] = self._render(place.clip, [t for t in alike if 0 <= t + gap < FRAMES], gap)
        self._kept_bytes += self._kept[key].nbytes
        return self._kept[key]

    def _render(self, number: int, times: list[int], gap: int) -> _Rendered:
        """Samples for gap 0, else flow."""
        clip = _clip(self._first_seed + number, self._streets.size)
        if gap:
            return _Rendered({}, {time: clip.flow(time, gap) for time in times})
        return _Rendered({time: self._sample(clip.frame(time), FramePlace(number, time)) for time in times}, {})

    def _sample(self, frame: Frame, place: FramePlace) -> Sample:
        return Sample(frame.image, frame.label, self.name_of(place))


@lru_cache(maxsize=2)
def _clip(seed: int, size: Size) -> Clip:
    return Clip(seed, size)
