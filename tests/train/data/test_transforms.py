import numpy as np
import pytest
import torch
from torch import Tensor

from train.data.dataset import Sample
from train.data.palette import IGNORE_INDEX
from train.data.spec import AugmentSpec, DataConfig
from train.data.transforms import TrainTransform

PAINT = 40
NO_COLOUR = {"brightness": 0.0, "contrast": 0.0, "saturation": 0.0}


@pytest.fixture
def painted() -> Sample:
    """An image that shows its own label: grey value (id + 1) · 40, so that 0 appears only where it was padded."""
    ids = np.random.default_rng(0).integers(0, 5, (4, 6), np.uint8).repeat(16, 0).repeat(16, 1)
    return Sample(np.repeat((PAINT * (ids + 1))[..., None], 3, axis=2), ids, "painted")


def transform(**augment: object) -> TrainTransform:
    spec = AugmentSpec.model_validate({**NO_COLOUR, **augment})
    return TrainTransform(DataConfig(size=(64, 96), crop=(48, 80), augment=spec))


def inside(label: Tensor) -> Tensor:
    """Pixels two away from any edge between labels: interpolation has not touched them."""
    windows = label.unfold(0, 5, 1).unfold(1, 5, 1).flatten(2)
    inner = torch.zeros_like(label, dtype=torch.bool)
    inner[2:-2, 2:-2] = (windows == windows[..., :1]).all(-1)
    return inner


@pytest.mark.parametrize("seed", range(12))
def test_image_and_label_move_together(painted: Sample, seed: int) -> None:
    image, label, *_ = transform()(painted, seed)
    assert image.shape == (3, 48, 80)
    assert label.shape == (48, 80)
    assert image.dtype == label.dtype == torch.uint8
    expected = torch.where(label == IGNORE_INDEX, 0, PAINT * (label.int() + 1))
    sure = inside(label)
    assert sure.float().mean() > 0.2
    assert torch.equal(image[0][sure].int(), expected[sure])


def test_padding_is_ignored(painted: Sample) -> None:
    image, label, *_ = transform(scale=(0.5, 0.5))(painted, 0)
    padding = label == IGNORE_INDEX
    assert padding.sum() >= 48 * 80 - 32 * 48  # half of 64 x 96 cannot fill a crop of 48 x 80
    assert (image[:, padding] == 0).all()


def test_an_image_without_a_label_counts_but_for_its_padding(painted: Sample) -> None:
    _, label, valid, *_ = transform(scale=(0.5, 0.5))(painted, 0)
    assert torch.equal(valid, label != IGNORE_INDEX)
    nothing = painted._replace(label=np.full_like(painted.label, IGNORE_INDEX), labelled=False)
    _, label, counts, *_ = transform(scale=(0.5, 0.5))(nothing, 0)
    assert (label == IGNORE_INDEX).all()
    assert torch.equal(counts, valid)
    assert not counts.all()
    void = painted._replace(label=np.full_like(painted.label, IGNORE_INDEX))
    assert not transform()(void, 0).valid.any()


def test_no_class_appears_that_was_not_there(painted: Sample) -> None:
    sparse = painted._replace(label=np.where(painted.label > 2, 4, 0).astype(np.uint8))
    for seed in range(8):
        _, label, *_ = transform()(sparse, seed)
        assert set(label.unique().tolist()) <= {0, 4, IGNORE_INDEX}


def test_mirror(painted: Sample) -> None:
    plain, *_ = transform(scale=(1.0, 1.0), mirror=0.0)(painted, 3)
    mirrored, *_ = transform(scale=(1.0, 1.0), mirror=1.0)(painted, 3)
    assert torch.equal(mirrored, plain.flip(-1))
    assert not torch.equal(mirrored, plain)


def test_colour_changes_the_image_alone(painted: Sample) -> None:
    plain = transform()(painted, 5)
    coloured = transform(brightness=0.5, contrast=0.5)(painted, 5)
    assert not torch.equal(coloured[0], plain[0])
    assert torch.equal(coloured[1], plain[1])


def test_same_seed_same_pair_and_the_global_generator_is_left_alone(painted: Sample) -> None:
    before = torch.get_rng_state()
    first, again, other = (transform()(painted, seed) for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(a, b) for a, b in zip(first[:2], again[:2], strict=True))
    assert not torch.equal(first[0], other[0])
