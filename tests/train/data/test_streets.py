"""What a training relies on: one seed, one street; all classes occur; colour alone does not tell them."""

import hashlib
import subprocess
import sys

import numpy as np
import pytest
from numpy.typing import NDArray

from train.data.streets import CLASSES, FRAMES, PALETTE, Clip, Frame

SIZE = (96, 128)
Pixels = NDArray[np.uint8]

DIGEST = """
import hashlib
from train.data.streets import Clip
clip = Clip(5, (96, 128))
flow = clip.flow(9, 4)
frame = clip.frame(9)
print(hashlib.sha256(frame.image.tobytes() + frame.label.tobytes() + flow.displacement.tobytes()).hexdigest())
"""


@pytest.fixture(scope="module")
def frames() -> list[Frame]:
    return [Clip(seed, SIZE).frame(seed % FRAMES) for seed in range(30)]


def test_another_process_makes_the_same_bits() -> None:
    done = subprocess.run([sys.executable, "-c", DIGEST], capture_output=True, text=True, check=True)
    clip = Clip(5, SIZE)
    frame = clip.frame(9)
    clip.frame(3)
    flow = clip.flow(9, 4)
    digest = hashlib.sha256(frame.image.tobytes() + frame.label.tobytes() + flow.displacement.tobytes()).hexdigest()
    assert digest == done.stdout.strip()


def test_frames_do_not_depend_on_the_order_of_calls() -> None:
    forward, backward = Clip(2, SIZE), Clip(2, SIZE)
    first = [forward.frame(t).image for t in (0, 20, 40)]
    last = [backward.frame(t).image for t in (40, 20, 0)][::-1]
    assert np.array_equal(first, last)


def test_frames_of_a_clip_and_clips_of_other_seeds_differ() -> None:
    clip = Clip(2, SIZE)
    assert (clip.frame(0).label != clip.frame(30).label).mean() > 0.02
    assert (clip.frame(0).label != Clip(3, SIZE).frame(0).label).mean() > 0.1


def test_a_frame_is_an_image_and_a_class_for_each_of_its_pixels(frames: list[Frame]) -> None:
    assert len(PALETTE) == len(CLASSES) == len(set(PALETTE)) == len(set(CLASSES))
    for frame in frames:
        assert (frame.image.dtype, frame.image.shape) == (np.uint8, (*SIZE, 3))
        assert (frame.label.dtype, frame.label.shape) == (np.uint8, SIZE)
        assert frame.label.max() < len(CLASSES)
        assert frame.image.std() > 10  # neither black nor burnt out


def test_every_class_occurs_in_its_share(frames: list[Frame]) -> None:
    labels = np.stack([frame.label for frame in frames])
    share = dict(zip(CLASSES, np.bincount(labels.ravel(), minlength=len(CLASSES)) / labels.size, strict=True))
    for name in ("sky", "building", "road", "tree", "car", "pavement"):
        assert 0.02 < share[name] < 0.5, name
    for name in ("pole", "sign", "fence", "pedestrian"):
        assert 0.002 < share[name] < 0.04, name
    assert share["bicyclist"] > 0.0003


def test_another_size_shows_the_same_street() -> None:
    small, large = Clip(4, SIZE).frame(0).label, Clip(4, (SIZE[0] * 2, SIZE[1] * 2)).frame(0).label
    assert (small == large[::2, ::2]).mean() > 0.9


def test_colour_and_height_in_the_picture_do_not_tell_the_class(frames: list[Frame]) -> None:
    """A network has to look at shapes: the best guess from a pixel's colour and row stays far from the labels."""
    fitted, unseen = frames[:20], frames[20:]
    guess = _likeliest_class(fitted)
    confusion = np.zeros((len(CLASSES), len(CLASSES)))
    for frame in unseen:
        np.add.at(confusion, (frame.label, guess[_bins(frame.image)]), 1)
    iou = np.diag(confusion) / (confusion.sum(0) + confusion.sum(1) - np.diag(confusion))
    assert iou.mean() < 0.4
    assert iou[[CLASSES.index(name) for name in ("pole", "fence", "pedestrian", "car")]].max() < 0.4


@pytest.mark.parametrize("t", [-1, FRAMES])
def test_a_frame_outside_of_the_clip_is_refused(t: int) -> None:
    with pytest.raises(ValueError, match=f"frame {t} is outside of the clip"):
        Clip(0, SIZE).frame(t)


def _bins(image: Pixels) -> NDArray[np.intp]:
    """Four bits a channel and eight bands of rows as one index."""
    red, green, blue = (image >> 4).astype(np.intp).transpose(2, 0, 1)
    band = (np.arange(image.shape[0]) * 8 // image.shape[0])[:, None]
    return ((red * 16 + green) * 16 + blue) * 8 + band


def _likeliest_class(frames: list[Frame]) -> NDArray[np.intp]:
    counts = np.zeros((16**3 * 8, len(CLASSES)))
    for frame in frames:
        np.add.at(counts, (_bins(frame.image), frame.label), 1)
    return (counts + counts.mean(axis=0)).argmax(axis=1)
