"""Find clips among images whose names are ``<sequence>_<frame number>`` (no torch)."""

import itertools
import re
from collections import defaultdict

from train.data.clips import SampleClip

_NUMBERED = re.compile(r"(.+)_(\d+)")


def find_clips(stems: list[str], frames_per_s: float, largest_step: int) -> list[SampleClip]:
    """Group the indices of ``stems`` into clips of even steps, in the order of their frame numbers.

    A step between two frames is the smallest difference of numbers in their sequence; where it is more than
    ``largest_step``, and for names of another form, each image is a clip of its own. ``frames_per_s`` is the rate that
    the numbers count at.
    """
    sequences: dict[str, list[tuple[int, int]]] = defaultdict(list)
    clips = []
    for index, stem in enumerate(stems):
        found = _NUMBERED.fullmatch(stem)
        if found:
            sequences[found[1]].append((int(found[2]), index))
        else:
            clips.append(SampleClip([index], None))
    for frames in sequences.values():
        clips += _split(sorted(frames), frames_per_s, largest_step)
    return clips


def _split(frames: list[tuple[int, int]], frames_per_s: float, largest_step: int) -> list[SampleClip]:
    """Cut a sequence of (number, index) wherever a frame is missing."""
    steps = [later - earlier for (earlier, _), (later, _) in itertools.pairwise(frames)]
    step = min((step for step in steps if step > 0), default=0)
    if not 0 < step <= largest_step:
        return [SampleClip([index], None) for _, index in frames]
    clips = [SampleClip([frames[0][1]], frames_per_s / step)]
    for distance, (_, index) in zip(steps, frames[1:], strict=True):
        if distance != step:
            clips.append(SampleClip([], frames_per_s / step))
        clips[-1].indices.append(index)
    return clips
