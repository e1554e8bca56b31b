"""The flow is exact: seen on labels, on noise-free pictures, on the way back, and against the camera's own geometry."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from train.data.streets import CLASSES, Clip, Flow
from train.data.streets.layout import build_scene
from train.data.streets.raster import SAMPLES, rasterize
from train.data.streets.shading import shade

SIZE = (192, 256)
ROAD, CAR, BUILDING = (CLASSES.index(name) for name in ("road", "car", "building"))
Mask = NDArray[np.bool_]


@pytest.fixture(scope="module")
def clips() -> dict[int, Clip]:
    return {seed: Clip(seed, SIZE) for seed in (1, 2, 5)}


def _targets(flow: Flow) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    y, x = np.indices(SIZE, dtype=np.float32)
    return x + flow.displacement[..., 0], y + flow.displacement[..., 1]


def _warped(picture: NDArray[np.generic], flow: Flow, interpolation: int = cv2.INTER_LINEAR) -> NDArray[np.float32]:
    """What frame t + k shows at the places to which the pixels of frame t have moved."""
    return np.asarray(cv2.remap(np.asarray(picture, np.float32), *_targets(flow), interpolation))


def _off_borders(label: NDArray[np.uint8]) -> Mask:
    """Pixels all of whose neighbours have the same class."""
    square = np.ones((3, 3), np.uint8)
    return np.asarray(cv2.erode(label, square) == cv2.dilate(label, square))


def test_flow_to_the_same_frame_is_zero_and_sees_everything(clips: dict[int, Clip]) -> None:
    flow = clips[1].flow(7, 0)
    assert np.abs(flow.displacement).max() < 1e-5
    assert flow.visible.all()


@pytest.mark.parametrize("seed", [1, 2, 5])
@pytest.mark.parametrize("k", [1, 5, -4])
def test_the_flow_carries_labels(clips: dict[int, Clip], seed: int, k: int) -> None:
    clip = clips[seed]
    flow, now, then = clip.flow(10, k), clip.frame(10).label, clip.frame(10 + k).label
    sure = flow.visible & _off_borders(now)
    carried = _warped(then, flow, cv2.INTER_NEAREST) == now
    assert flow.visible.mean() > 0.4
    assert carried[sure].mean() >= 0.995
    assert (then == now)[sure].mean() < carried[sure].mean() - 0.01


@pytest.mark.parametrize("seed", [1, 2, 5])
def test_the_flow_carries_the_picture(clips: dict[int, Clip], seed: int) -> None:
    scene = build_scene(seed, SIZE)
    now, then = (shade(scene, rasterize(scene, t), t) for t in (10, 13))
    flow = clips[seed].flow(10, 3)
    still = flow.visible & _off_borders(clips[seed].frame(10).label)
    error = np.abs(_warped(then, flow) - now).mean(axis=2)[still]
    unmoved = np.abs(then - now).mean(axis=2)[still]
    assert np.median(error) < 1.5  # of 255
    assert error.mean() < 0.4 * unmoved.mean()


@pytest.mark.parametrize("seed", [1, 2, 5])
def test_there_and_back_again(clips: dict[int, Clip], seed: int) -> None:
    there, back = clips[seed].flow(10, 3), clips[seed].flow(13, -3)
    returned = there.displacement + _warped(back.displacement, there)
    seen_back = _warped(back.visible, there) == 1  # all four pixels that the interpolation reads
    distance = np.hypot(*returned.transpose(2, 0, 1))[there.visible & seen_back]
    assert np.median(distance) < 0.02
    assert np.percentile(distance, 97) < 0.5


def test_the_road_moves_as_the_camera_says() -> None:
    """The homography of the ground plane, from the projection matrices alone."""
    scene, clip = build_scene(2, SIZE), Clip(2, SIZE)
    before, after = (scene.camera.projection(t)[:, [0, 2, 3]] for t in (4, 9))
    y, x = np.indices(SIZE, dtype=np.float64)
    moved = np.einsum("ij,jyx->iyx", after @ np.linalg.inv(before), np.stack([x, y, np.ones(SIZE)]))
    expected = np.stack([moved[0] / moved[2] - x, moved[1] / moved[2] - y], axis=-1)
    road = clip.frame(4).label == ROAD
    assert np.abs(clip.flow(4, 5).displacement - expected)[road].max() < 1e-3


def test_driving_cars_move_unlike_the_standing_street() -> None:
    """Where the camera stands still, buildings only sway with it, and traffic passes."""
    seed = next(seed for seed in range(40) if build_scene(seed, SIZE).camera.speed == 0 and _traffic(seed).any())
    flow, label = Clip(seed, SIZE).flow(0, 6), Clip(seed, SIZE).frame(0).label
    speed = np.hypot(*flow.displacement.transpose(2, 0, 1))
    driving = _traffic(seed)
    assert (label[driving] == CAR).any()
    assert np.percentile(speed[driving], 75) > np.percentile(speed[label == BUILDING], 75) + 1


def test_flow_out_of_the_clip_is_refused(clips: dict[int, Clip]) -> None:
    with pytest.raises(ValueError, match="frame 64 is outside of the clip"):
        clips[1].flow(60, 4)


def _traffic(seed: int) -> Mask:
    """Pixels of frame 0 that show a moving body."""
    scene = build_scene(seed, SIZE)
    moves = (scene.motion[scene.body, 3:] != 0).any(axis=1) & (scene.label == CAR)
    return np.asarray(moves[rasterize(scene, 0).surface[::SAMPLES, ::SAMPLES]])
