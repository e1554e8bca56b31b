"""The generated dataset `streets` as a split of images and labels (no torch)."""

from train.data.dataset import Sample
from train.data.palette import Colour
from train.data.spec import DatasetSpec
from train.data.streets import CLASSES, PALETTE, Clip
from train.errors import UserError

_FRAME_STEP = 7  # neighbouring frames are nearly the same picture; 7 apart they teach something new
_SPLIT_SEEDS = {"train": 0, "val": 1 << 20, "test": 2 << 20}  # far apart, so that no world is in two splits


class StreetFrames:
    """Frames of generated clips, each rendered once, when it is first asked for."""

    def __init__(self, spec: DatasetSpec, split: str) -> None:
        if split not in _SPLIT_SEEDS:
            raise UserError(f"data: streets has the splits {', '.join(_SPLIT_SEEDS)}, not '{split}'")
        self.name = f"streets/{split}"
        self.classes: list[str] = list(CLASSES)
        self.palette: list[Colour] = list(PALETTE)
        self.label_map: dict[int, int] = {}
        streets = spec.streets
        clips = streets.clips if split == "train" else streets.val_clips
        first = _SPLIT_SEEDS[split] + streets.seed * 10_000
        self._clips = [Clip(first + number, streets.size) for number in range(clips)]
        self._frames = streets.frames
        self._rendered: dict[int, Sample] = {}

    def __len__(self) -> int:
        return len(self._clips) * self._frames

    def __getitem__(self, index: int) -> Sample:
        if index not in self._rendered:
            clip, number = divmod(index, self._frames)
            frame = self._clips[clip].frame(number * _FRAME_STEP)
            self._rendered[index] = Sample(frame.image, frame.label, f"clip{clip:03d}_frame{number * _FRAME_STEP:03d}")
        return self._rendered[index]
