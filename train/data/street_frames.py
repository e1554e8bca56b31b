"""The generated dataset `streets` as a split of images and labels (no torch)."""

from train.data.dataset import Sample
from train.data.palette import Colour
from train.data.spec import DatasetSpec
from train.data.streets import CLASSES, FRAMES, PALETTE, Clip
from train.errors import UserError

_SPLIT_SEEDS = {"train": 0, "val": 1 << 20, "test": 2 << 20}  # far apart, so that no world is in two splits


class StreetFrames:
    """Frames of generated clips. A clip is rendered when one of its frames is first asked for, and then kept."""

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
        self._rendered: dict[int, list[Sample]] = {}

    def __len__(self) -> int:
        return self._clips * self._streets.frames

    def __getitem__(self, index: int) -> Sample:
        clip, frame = divmod(range(len(self))[index], self._streets.frames)
        if clip not in self._rendered:
            self._rendered[clip] = self._render(clip)
        return self._rendered[clip][frame]

    def _render(self, number: int) -> list[Sample]:
        clip = Clip(self._first_seed + number, self._streets.size)
        # Neighbouring frames are nearly the same picture: spread over the clip they teach more.
        times = [frame * (FRAMES // self._streets.frames) for frame in range(self._streets.frames)]
        frames = [clip.frame(time) for time in times]
        return [
            Sample(frame.image, frame.label, f"clip{number:03d}_frame{time:03d}")
            for time, frame in zip(times, frames, strict=True)
        ]
