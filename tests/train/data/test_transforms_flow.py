"""Whatever the augmentation does: the flow leads from the augmented image to the augmented neighbour."""

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.train.data.moving_clips import STEP, moving_frames
from train.data.dataset import Sample
from train.data.flow import Flow
from train.data.flow.field import inside, no_flow, warp
from train.data.flow.jitter import jitter
from train.data.neighbour import Neighbour
from train.data.palette import IGNORE_INDEX
from train.data.spec import AugmentSpec, DataConfig, JitterSpec
from train.data.streets import Clip
from train.data.transforms import Crop, TrainTransform

NO_COLOUR = {"brightness": 0.0, "contrast": 0.0, "saturation": 0.0}
SIZE = (64, 96)


def transform(**augment: object) -> TrainTransform:
    spec = AugmentSpec.model_validate({**NO_COLOUR, **augment})
    return TrainTransform(DataConfig(size=SIZE, crop=(48, 80), augment=spec))


@pytest.fixture(scope="module")
def shifted() -> tuple[Sample, Neighbour]:
    now, then = moving_frames(2, SIZE)
    displacement = np.broadcast_to(np.float32(STEP), (*SIZE, 2)).copy()
    label = np.full(SIZE, 3, np.uint8)
    return Sample(now, label, "now"), Neighbour(then, Flow(displacement, inside(displacement)))


@pytest.fixture(scope="module")
def street() -> tuple[Sample, Neighbour]:
    clip = Clip(5, SIZE)
    now = clip.frame(9)
    return Sample(now.image, now.label, "now"), Neighbour(clip.frame(11).image, clip.flow(9, 2))


def error(crop: Crop) -> tuple[float, float]:
    """Mean difference, on visible pixels, of the image and its neighbour: brought back by the flow, and as it is."""
    assert crop.neighbour is not None
    assert crop.flow is not None
    assert crop.visible is not None
    neighbour, image = (as_array(part).astype(np.float32) for part in (crop.neighbour, crop.image))
    visible = crop.visible.numpy()
    back = warp(neighbour, np.ascontiguousarray(as_array(crop.flow)))
    return float(np.abs(back - image)[visible].mean()), float(np.abs(neighbour - image)[visible].mean())


def as_array(part: Tensor) -> np.ndarray:
    return part.permute(1, 2, 0).numpy()


@pytest.mark.parametrize("seed", range(12))
def test_the_neighbour_is_brought_back_onto_the_image(shifted: tuple[Sample, Neighbour], seed: int) -> None:
    crop = transform()(shifted[0], seed, shifted[1])
    assert [(part.dtype, tuple(part.shape)) for part in crop] == [  # type: ignore[union-attr]
        (torch.uint8, (3, 48, 80)),
        (torch.uint8, (48, 80)),
        (torch.bool, (48, 80)),
        (torch.uint8, (3, 48, 80)),
        (torch.float32, (2, 48, 80)),
        (torch.bool, (48, 80)),
        (torch.bool, (48, 80)),
    ]
    warped, unwarped = error(crop)
    assert warped < 3.5 < 0.3 * unwarped


def test_all_of_the_neighbour_counts_but_its_padding(shifted: tuple[Sample, Neighbour]) -> None:
    crop = transform(scale=(0.5, 0.5))(shifted[0], 0, shifted[1])
    assert crop.neighbour_valid is not None
    assert torch.equal(crop.neighbour_valid, crop.label != IGNORE_INDEX)
    assert not crop.neighbour_valid.all()


@pytest.mark.parametrize("seed", range(6))
def test_streets_and_moved_images_are_brought_back_too(street: tuple[Sample, Neighbour], seed: int) -> None:
    sample, neighbour = street
    warped, unwarped = error(transform()(sample, seed, neighbour))
    assert warped < 0.6 * unwarped
    image = moving_frames(1, SIZE)[0]
    moved = Neighbour(*jitter(image, JitterSpec(), np.random.default_rng(seed)))
    warped, unwarped = error(transform()(Sample(image, sample.label, "still"), seed, moved))
    assert warped < 0.4 * unwarped


def test_the_flow_is_right_to_the_pixel(shifted: tuple[Sample, Neighbour]) -> None:
    sample, neighbour = shifted
    plain = transform(scale=(1.0, 1.0), mirror=0.0)(sample, 3, neighbour)
    mirrored = transform(scale=(1.0, 1.0), mirror=1.0)(sample, 3, neighbour)
    grown = transform(scale=(2.0, 2.0), mirror=0.0)(sample, 3, neighbour)
    assert plain.flow is not None
    assert grown.flow is not None
    assert mirrored.flow is not None
    assert mirrored.visible is not None
    scale = min(96 / 64, 64 / 96)  # of ScaleJitter to a size as large as the image
    expected = torch.tensor(STEP) * torch.tensor([int(96 * scale) / 96, int(64 * scale) / 64])
    assert torch.allclose(plain.flow[:, 20, 40], expected, atol=1e-4)
    assert torch.allclose(mirrored.flow[:, 20, 40], expected * torch.tensor([-1, 1]), atol=1e-4)
    expected = torch.tensor(STEP) * torch.tensor([int(96 * 2 * scale) / 96, int(64 * 2 * scale) / 64])
    assert torch.allclose(grown.flow[:, 20, 40], expected, atol=1e-4)
    assert torch.equal(mirrored.visible, plain.visible.flip(-1))  # type: ignore[union-attr]


def test_padding_is_not_visible_and_has_no_flow(shifted: tuple[Sample, Neighbour]) -> None:
    crop = transform(scale=(0.5, 0.5))(shifted[0], 0, shifted[1])
    padding = crop.label == IGNORE_INDEX
    assert crop.visible is not None
    assert crop.flow is not None
    assert padding.float().mean() > 0.5
    assert not crop.visible[padding].any()
    assert not crop.flow[:, padding].any()
    assert crop.visible[~padding].float().mean() > 0.7


def test_a_point_that_leaves_the_crop_is_not_visible(shifted: tuple[Sample, Neighbour]) -> None:
    for seed in range(4):
        crop = transform(scale=(1.6, 2.0))(shifted[0], seed, shifted[1])
        assert crop.flow is not None
        assert crop.visible is not None
        assert (crop.label != IGNORE_INDEX).all()
        target_x = torch.arange(80) + crop.flow[0]
        assert not crop.visible[(target_x < 0) | (target_x > 79)].any()
        assert crop.visible[5:-5, 8:-8].all()


def test_no_motion_appears_between_two_motions() -> None:
    """Half of the picture moves by 8 pixels: scaled, each point moves with one of the two."""
    image = moving_frames(1, SIZE)[0]
    displacement = np.zeros((*SIZE, 2), np.float32)
    displacement[:, 48:, 0] = 8
    sample = Sample(image, np.zeros(SIZE, np.uint8), "halves")
    neighbour = Neighbour(image, Flow(displacement, np.ones(SIZE, bool)))
    for scale in (0.8, 1.3, 2.0):
        crop = transform(scale=(scale, scale), mirror=0.0)(sample, 1, neighbour)
        assert crop.flow is not None
        assert len(crop.flow[0].unique().round(decimals=3).unique()) == 2


def test_colours_change_alike(shifted: tuple[Sample, Neighbour]) -> None:
    twin = Neighbour(shifted[0].image, no_flow(SIZE))
    crop = transform(brightness=0.5, contrast=0.5, saturation=0.5)(shifted[0], 2, twin)
    assert torch.equal(crop.image, crop.neighbour)  # type: ignore[arg-type]


def test_a_neighbour_leaves_image_and_label_as_they_are(shifted: tuple[Sample, Neighbour]) -> None:
    for seed in range(4):
        with_it = transform(brightness=0.4)(shifted[0], seed, shifted[1])
        alone = transform(brightness=0.4)(shifted[0], seed)
        assert torch.equal(with_it.image, alone.image)
        assert torch.equal(with_it.label, alone.label)
        assert alone.neighbour is alone.flow is alone.visible is None
