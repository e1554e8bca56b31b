"""The second frame of a training sample and the flow to it."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from train.data.dataset import Clips, Dataset, Sample, has_frame
from train.data.flow import Flow
from train.data.flow.flo_file import check_flo
from train.data.flow.jitter import jitter
from train.data.flow.known import FloFiles
from train.data.flow.pair import FlowProvider, FramePair
from train.data.flow.provider import open_provider
from train.data.spec import NeighbourSpec
from train.errors import UserError


class Neighbour(NamedTuple):
    """Another frame of the clip of a sample, RGB ``(H, W, 3)``, and the flow from the sample to it."""

    image: NDArray[np.uint8]
    flow: Flow


class Neighbours:
    """Gives every sample of a dataset a neighbour: a frame of its clip, or the image itself, moved a little."""

    def __init__(self, spec: NeighbourSpec, clips: Clips | None, provider: FlowProvider | None) -> None:
        self._spec = spec
        self._clips = clips
        self._provider = provider

    def of(self, index: int, sample: Sample, seed: int) -> Neighbour:
        """The neighbour of the sample of an index; which one follows from ``seed``. `UserError` if it is broken."""
        rng = np.random.default_rng((seed, 1))  # apart from the augmentation's draws, which it leaves as they are
        gap = self._draw_gap(index, rng)
        if self._clips is None or self._provider is None or gap is None:
            return Neighbour(*jitter(sample.image, self._spec.jitter, rng))
        place = self._clips.place(index)
        then = self._clips.read(place.later(gap)).image
        return Neighbour(then, self._provider(FramePair(sample.image, then, sample.name, place, gap)))

    def gaps(self, index: int) -> list[int]:
        """The distances that may be drawn for a sample; negative: before it; none: its clip has no such frame."""
        if self._clips is None:
            return []
        gap, direction, place = self._spec.gap, self._spec.direction, self._clips.place(index)
        there = [signed for signed in (gap, -gap) if has_frame(self._clips, place.later(signed))]
        wanted = {"forward": [gap], "backward": [-gap], "both": [gap, -gap]}[direction]
        return [signed for signed in there if signed in wanted] or there

    def _draw_gap(self, index: int, rng: np.random.Generator) -> int | None:
        gaps = self.gaps(index)
        return gaps[rng.integers(len(gaps))] if gaps else None


def open_neighbours(dataset: Dataset, spec: NeighbourSpec) -> Neighbours:
    """Check, before anything is trained, that all samples of a dataset can be given neighbours.

    Raises:
        UserError: no clips, clips too short for the gap, or what the flow provider needs is not there.
    """
    clips, name = dataset.clips, dataset.name
    if spec.provider == "affine" or (spec.provider == "auto" and clips is None):
        return Neighbours(spec, None, None)
    if clips is None:
        raise UserError(
            f"data.neighbour.provider: {spec.provider}: {name} has no neighbouring frames: set it to affine, which "
            "moves the image itself, or give clips (data.layout clips)"
        )
    neighbours = Neighbours(spec, clips, open_provider(spec, clips))
    without = [index for index in range(len(dataset)) if not neighbours.gaps(index)]
    if len(without) == len(dataset) or (without and spec.provider != "auto"):
        raise UserError(_too_short(clips, without, len(dataset), name, spec))
    if spec.provider == "flo" and spec.flo is not None:
        _check_files(FloFiles(spec.flo), clips, neighbours, len(dataset))
    return neighbours


def _too_short(clips: Clips, without: list[int], samples: int, name: str, spec: NeighbourSpec) -> str:
    shortest = min(clips.length(clips.place(index).clip) for index in without)
    auto = "" if len(without) == samples else ", or set data.neighbour.provider to auto, which moves those images"
    return (
        f"data.neighbour.gap: {spec.gap}: {len(without)} of {samples} samples of {name} have no frame at this distance "
        f"(their shortest clip has {shortest}): choose a smaller gap{auto}"
    )


def _check_files(files: FloFiles, clips: Clips, neighbours: Neighbours, samples: int) -> None:
    for index in range(samples):
        for gap in neighbours.gaps(index):
            check_flo(files.path(clips.name_of(clips.place(index)), gap))
