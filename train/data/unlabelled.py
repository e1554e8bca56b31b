"""Images without labels: videos, and folders of images, found below any paths (no torch).

A folder's images are taken for the frames of a clip, in the order of their names. What is like an image kept before it
is left out. Three splits: ``all``, and for trainings without one labelled image ``train`` and ``val``, which are
stretches of time with frames between them that are in neither; no image of ``train`` is like one of ``val``.
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from train.data.clip_frames import ClipFrames, FrameSource
from train.data.dataset import FramePlace
from train.data.frame_folder import FrameFolder
from train.data.frame_scan import scan
from train.data.held_out import stretches
from train.data.likeness import Mark, distinct, found_in
from train.data.palette import default_palette
from train.data.spec import DatasetSpec
from train.data.unlabelled_sources import find_sources, said_of
from train.data.video import VideoFile
from train.errors import UserError

Split = dict[FramePlace, Mark]
"""The samples of a split, and what each is recognised by."""


class UnlabelledFrames(ClipFrames):
    """Frames without labels.

    Args:
        name: of the dataset.
        sources: stretches of videos and of folders.
        samples: the frames that are used.
        spec: names the classes.
        notes: what was found and what was left out, a line each.
    """

    def __init__(
        self, name: str, sources: list[FrameSource], samples: Split, spec: DatasetSpec, notes: list[str]
    ) -> None:
        classes, palette = spec.classes, spec.palette or default_palette(len(spec.classes))
        super().__init__(name, sources, {}, samples, classes, palette, spec.label_map)
        self._spec = spec
        self._samples = samples
        self.notes = notes

    @property
    def marks(self) -> list[Mark]:
        """What each sample is recognised by."""
        return [self._samples[place] for place in self._places]

    def without(self, indices: Iterable[int], note: str) -> "UnlabelledFrames":
        """The same but for some samples, and why. `UserError` if none is left."""
        left_out = {self._places[index] for index in indices}
        samples = {place: found for place, found in self._samples.items() if place not in left_out}
        if not samples:
            raise UserError(f"data.unlabelled: {note}, and nothing is left: give other images")
        return UnlabelledFrames(self.name, self._sources, samples, self._spec, [*self.notes, note])


class _Stretch:
    """Frames of a source that follow each other."""

    def __init__(self, source: VideoFile | FrameFolder, name: str, frames: range) -> None:
        self.name = name
        self.frames_per_s = source.frames_per_s
        self._source = source
        self._frames = frames

    def __len__(self) -> int:
        return len(self._frames)

    def frame_name(self, number: int) -> str:
        return self._source.frame_name(self._frames[number])

    def read(self, number: int) -> NDArray[np.uint8]:
        return self._source.read(self._frames[number])


def open_unlabelled(spec: DatasetSpec, split: str) -> UnlabelledFrames:
    """One split of what is below ``spec.unlabelled``.

    Raises:
        UserError: nothing there, nothing that can be read, too little to hold some of it out, or no such split.
    """
    if split not in ("all", "train", "val"):
        raise UserError(
            f"data: '{split}': the layout 'unlabelled' has the splits train, val and all: choose one of them"
        )
    if not spec.classes:
        raise UserError("data.classes: images without labels name no classes: give a teacher, or data.classes")
    found, notes = find_sources(spec.unlabelled)
    name = f"{' + '.join(path.resolve().stem for path in spec.unlabelled)}/{split}"
    parts: dict[str, tuple[list[FrameSource], Split]] = {"all": ([], {}), "train": ([], {}), "val": ([], {})}
    for title, source in found:
        seen = scan(source, spec.pool.every)
        notes += said_of(title, source, len(seen.marks), seen.broken)
        for part, ranges in stretches(len(source), spec.pool.held_out, spec.pool.apart)._asdict().items():
            clips, samples = parts[part]
            for frames in ranges:
                clip = len(clips)
                samples |= {FramePlace(clip, n - frames.start): seen.marks[n] for n in frames if n in seen.marks}
                clips.append(_Stretch(source, title, frames))
    if not parts["all"][1]:
        raise UserError(f"data.unlabelled: none of the images can be read: {notes[-1] if notes else 'replace them'}")
    return _chosen(spec, split, name, parts, notes)


def _chosen(
    spec: DatasetSpec, split: str, name: str, parts: dict[str, tuple[list[FrameSource], Split]], notes: list[str]
) -> UnlabelledFrames:
    sources, samples = parts[split]
    kept = _distinct(samples, spec.pool.alike)
    if split == "train":
        like = found_in(list(kept.values()), list(parts["val"][1].values()), spec.pool.alike)
        kept = {place: found for index, (place, found) in enumerate(kept.items()) if index not in like}
    if not kept:
        raise UserError(
            f"data.unlabelled: {len(parts['all'][1])} images are too few, or too alike, for {split}: give more, lower "
            "data.pool.every or data.pool.alike, or change data.pool.held_out and data.pool.apart"
        )
    dropped = len(samples) - len(kept)
    notes = [*notes, f"{name}: {len(kept)} images, {dropped} near duplicates left out"]
    return UnlabelledFrames(name, sources, kept, spec, notes)


def _distinct(samples: Split, alike: float) -> Split:
    places = sorted(samples)
    return {places[index]: samples[places[index]] for index in distinct([samples[p] for p in places], alike)}
