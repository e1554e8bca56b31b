"""Clips of anybody: videos or folders of frames, of which all, some or no frames have masks (no torch).

    <split>/clips/drive1.mp4          a video,
    <split>/clips/drive2/000123.jpg   or a folder of frames, in the order of their names
    <split>/masks/drive1/000040.png   mask of frame 40 of the video, counted from 0
    <split>/masks/drive2/000123.png   mask of the frame of the same stem
    classes.txt                       as in the layout `folder`

Masks hold class ids or colours, as in the layout `folder`. The samples are the frames that have a mask; with
`ClipsSpec.unlabelled`, or where there is not one mask in the split, every `ClipsSpec.every`-th frame is one too.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from train.data.dataset import FramePlace, Sample
from train.data.folder import IMAGE_SUFFIXES, read_classes
from train.data.frame_folder import FrameFolder
from train.data.label import read_label
from train.data.palette import IGNORE_INDEX, Colour
from train.data.spec import ClipsSpec, DatasetSpec
from train.data.video import VIDEO_SUFFIXES, VideoFile
from train.errors import UserError


class FrameSource(Protocol):
    """The frames of one clip."""

    name: str

    @property
    def frames_per_s(self) -> float | None: ...

    def __len__(self) -> int: ...

    def frame_name(self, number: int) -> str: ...

    def read(self, number: int) -> NDArray[np.uint8]: ...


class ClipFrames:
    """Frames of clips, those at ``places``; `clips` is the dataset itself."""

    flow = None

    def __init__(
        self,
        name: str,
        sources: list[FrameSource],
        masks: dict[FramePlace, Path],
        places: Iterable[FramePlace],
        classes: list[str],
        palette: list[Colour],
        label_map: dict[int, int],
    ) -> None:
        self.name = name
        self.classes = classes
        self.palette = palette
        self.label_map = label_map
        self.labelled = bool(masks)
        self._sources = sources
        self._masks = masks
        self._places = sorted(places)

    @property
    def clips(self) -> "ClipFrames":
        return self

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, index: int) -> Sample:
        return self.read(self._places[index])

    def place(self, index: int) -> FramePlace:
        return self._places[index]

    def length(self, clip: int) -> int:
        return len(self._sources[clip])

    def frames_per_s(self, clip: int) -> float | None:
        return self._sources[clip].frames_per_s

    def name_of(self, place: FramePlace) -> str:
        source = self._sources[place.clip]
        return f"{source.name}_{source.frame_name(place.frame)}"

    def read(self, place: FramePlace) -> Sample:
        image = self._sources[place.clip].read(place.frame)
        mask = self._masks.get(place)
        if mask is None:
            nothing = np.full(image.shape[:2], IGNORE_INDEX, np.uint8)
            return Sample(image, nothing, self.name_of(place), labelled=False)
        label = read_label(mask, len(self.classes), self.label_map, self.palette)
        if label.shape != image.shape[:2]:
            raise UserError(f"{mask}: the label is {label.shape}, its frame {image.shape[:2]} (height, width)")
        return Sample(image, label, self.name_of(place))


def open_clip_frames(spec: DatasetSpec, root: Path, split: str) -> ClipFrames:
    """The clips of one split; classes from the config or ``classes.txt``."""
    classes, palette = read_classes(spec, root)
    folder = root / split / "clips"
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder: put the clips of the split there, videos or folders of frames")
    sources = [source for path in sorted(folder.iterdir()) if (source := _open_source(path, spec.clips))]
    if not sources:
        raise UserError(
            f"{folder}: no clips here: add videos ({', '.join(sorted(VIDEO_SUFFIXES))}) or folders of frames"
        )
    masks = _find_masks(root / split / "masks", sources)
    places = masks.keys() | _unlabelled(sources, masks, spec.clips)
    return ClipFrames(f"{root.name}/{split}", sources, masks, places, classes, palette, spec.label_map)


def _open_source(path: Path, spec: ClipsSpec) -> FrameSource | None:
    if path.is_dir():
        return FrameFolder(path, spec.frames_per_s)
    return VideoFile(path) if path.suffix.lower() in VIDEO_SUFFIXES else None


def _find_masks(folder: Path, sources: list[FrameSource]) -> dict[FramePlace, Path]:
    clips: dict[str, int] = {}
    for number, source in enumerate(sources):
        if source.name in clips:
            raise UserError(f"{folder.with_name('clips') / source.name}: two clips of this name: rename one")
        clips[source.name] = number
    masks = {}
    for subfolder in sorted(folder.iterdir()) if folder.is_dir() else []:
        if subfolder.name not in clips:
            raise UserError(
                f"{subfolder}: no such clip in {folder.with_name('clips')}: add the clip or remove the masks"
            )
        clip = clips[subfolder.name]
        frames = {sources[clip].frame_name(number): number for number in range(len(sources[clip]))}
        for path in sorted(path for path in subfolder.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES):
            if path.stem not in frames:
                raise UserError(
                    f"{path}: the clip {subfolder.name} has no frame '{path.stem}': rename or remove the mask"
                )
            masks[FramePlace(clip, frames[path.stem])] = path
    return masks


def _unlabelled(sources: list[FrameSource], masks: dict[FramePlace, Path], spec: ClipsSpec) -> set[FramePlace]:
    if masks and not spec.unlabelled:
        return set()
    return {
        FramePlace(clip, frame) for clip, source in enumerate(sources) for frame in range(0, len(source), spec.every)
    }
