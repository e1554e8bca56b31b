"""Class ids at full resolution, as torch's interpolate and argmax make them."""

from pathlib import Path

import numpy as np
import pytest
import torch

from tests.kernels.cuda.on_cpu.kernels import Run

SIZES = [
    ((8, 16), (64, 128)),
    ((7, 9), (50, 61)),
    ((1, 1), (5, 33)),
    ((1, 1), (1, 1)),
    ((3, 2), (1000, 7)),
    ((5, 5), (5, 5)),
    ((2, 13), (9, 100)),
    ((37, 41), (12, 9)),
]
KINDS = {np.dtype(np.float32): "f32", np.dtype(np.float16): "f16"}


def random_logits(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(scale=3, size=shape).astype(np.float32)


def upsample_argmax(run: Run, logits: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    images, *low = logits.shape
    ids = np.full((images, *size), 255, np.uint8)
    name = f"upsample_argmax_{KINDS[logits.dtype]}"
    run(name, logits, *low, ids, *size, width=size[1], height=size[0], images=images)
    return ids


def with_confidence(
    run: Run, logits: np.ndarray, size: tuple[int, int], dtype: type = np.float32
) -> tuple[np.ndarray, np.ndarray]:
    images, *low = logits.shape
    ids, confidence = np.full((images, *size), 255, np.uint8), np.full((images, *size), 77, dtype)
    name = f"upsample_argmax_confidence_{'u8_' if dtype is np.uint8 else ''}{KINDS[logits.dtype]}"
    run(name, logits, *low, ids, confidence, *size, width=size[1], height=size[0], images=images)
    return ids, confidence


def upsampled(logits: np.ndarray, size: tuple[int, int]) -> torch.Tensor:
    """``(N, C, *size)``, by torch, in float64."""
    tensor = torch.from_numpy(logits).double()
    return torch.nn.functional.interpolate(tensor, size, mode="bilinear", align_corners=False)


def assert_same_classes(ids: np.ndarray, logits: np.ndarray, size: tuple[int, int]) -> None:
    """Equal to torch's, except where torch itself would decide by rounding."""
    reference = upsampled(logits, size)
    best = reference.topk(min(2, reference.shape[1]), dim=1).values
    decided = (best[:, 0] - best[:, -1] > 1e-5 * best.abs().amax(1).clamp(min=1)).numpy()
    assert decided.mean() > 0.99
    np.testing.assert_array_equal(ids[decided], reference.argmax(1).numpy()[decided])


@pytest.mark.parametrize("dtype", KINDS)
@pytest.mark.parametrize(("low", "size"), SIZES)
def test_classes_are_those_of_interpolate_and_argmax(run, low, size, dtype):
    logits = random_logits(2, 19, *low).astype(dtype)
    assert_same_classes(upsample_argmax(run, logits, size), logits, size)


@pytest.mark.parametrize("classes", [2, 3, 11, 150, 256])
def test_any_number_of_classes_fits(run, classes):
    logits = random_logits(1, classes, 4, 5)
    assert_same_classes(upsample_argmax(run, logits, (13, 18)), logits, (13, 18))


def test_a_single_class_is_class_zero_for_certain(run):
    ids, confidence = with_confidence(run, random_logits(1, 1, 2, 2), (5, 5))
    assert not ids.any()
    assert (confidence == 1).all()


@pytest.mark.parametrize("dtype", KINDS)
@pytest.mark.parametrize(("low", "size"), SIZES)
def test_confidence_is_the_softmax_probability_of_the_winner(run, low, size, dtype):
    logits = random_logits(2, 19, *low).astype(dtype)
    ids, confidence = with_confidence(run, logits, size)
    np.testing.assert_array_equal(ids, upsample_argmax(run, logits, size))
    np.testing.assert_allclose(confidence, upsampled(logits, size).softmax(1).amax(1), rtol=2e-5)


@pytest.mark.parametrize("dtype", KINDS)
@pytest.mark.parametrize(("low", "size"), SIZES)
def test_confidence_in_255ths_is_the_same_rounded(run, low, size, dtype):
    logits = random_logits(2, 19, *low).astype(dtype)
    ids, confidence = with_confidence(run, logits, size)
    ids_beside, in_255ths = with_confidence(run, logits, size, np.uint8)
    np.testing.assert_array_equal(ids_beside, ids)
    exact = 255 * confidence.astype(np.float64)
    assert np.abs(in_255ths - exact).max() <= 0.5 + 1e-4


def test_confidence_in_255ths_of_a_winner_that_is_not_finite_is_zero(run):
    for value in (np.nan, np.inf, -np.inf):
        _, confidence = with_confidence(run, np.full((1, 3, 1, 1), value, np.float32), (2, 2), np.uint8)
        np.testing.assert_array_equal(confidence, 0)


def test_confidence_survives_huge_logits(run):
    logits = 1e4 * random_logits(1, 5, 3, 3)
    _, confidence = with_confidence(run, logits, (8, 8))
    np.testing.assert_allclose(confidence, upsampled(logits, (8, 8)).softmax(1).amax(1), rtol=0.05)


def test_the_first_of_equal_classes_wins(run):
    logits = random_logits(1, 4, 6, 7)
    logits = logits[:, [0, 1, 1, 2, 3, 3, 2, 0]]  # every class twice
    ids, confidence = with_confidence(run, logits, (29, 31))
    assert set(np.unique(ids)) == {0, 1, 3, 4}
    assert confidence.max() <= 0.5


def test_a_class_below_another_at_all_corners_never_wins_between_them(run):
    upper = random_logits(1, 1, 9, 11)
    logits = np.concatenate([upper, np.nextafter(upper, np.float32(-np.inf))], 1)
    assert not upsample_argmax(run, logits, (200, 190)).any()


def test_the_first_nan_wins_and_its_confidence_is_nan(run):
    logits = random_logits(1, 5, 1, 1)
    logits[0, [2, 4]] = np.nan
    logits[0, 3] = np.inf
    ids, confidence = with_confidence(run, logits, (2, 2))
    np.testing.assert_array_equal(ids, 2)
    assert np.isnan(confidence).all()
    assert (torch.from_numpy(logits).argmax(1) == 2).all()


@pytest.mark.parametrize("value", [np.inf, -np.inf])
def test_infinite_logits_are_treated_as_torch_treats_them(run, value):
    logits = random_logits(1, 3, 3, 4)
    logits[0, 1, 1, 2] = value
    ids, confidence = with_confidence(run, logits, (12, 16))
    reference = upsampled(logits, (12, 16))
    np.testing.assert_array_equal(ids, reference.argmax(1))
    probability = reference.softmax(1).gather(1, reference.argmax(1, keepdim=True))[:, 0]
    np.testing.assert_allclose(confidence, probability, rtol=2e-5)


def test_a_class_at_minus_infinity_everywhere_adds_nothing_to_the_confidence(run):
    logits = np.array([-np.inf, 1.0, 2.0], np.float32).reshape(1, 3, 1, 1)
    # Between two copies of a pixel both weights are positive, so that no 0 · inf makes a NaN.
    logits = np.tile(logits, (1, 1, 2, 2))
    _, confidence = with_confidence(run, logits, (4, 4))
    np.testing.assert_allclose(confidence[0, 1:3, 1:3], 1 / (1 + np.exp(-1)), rtol=1e-6)


def test_offsets_pass_two_gigabytes(run, tmp_path: Path):
    side = 46_600  # a plane has 2.17e9 elements; on a sparse file
    logits = np.memmap(tmp_path / "logits", np.float16, "w+", shape=(1, 2, side, side))
    logits[0, 1, 46_133:46_135, 23_299:23_301] = 1  # 49.5 · 932 and 0.5 · 46600: the last of 50 x 1
    ids = upsample_argmax(run, logits, (50, 1))
    np.testing.assert_array_equal(np.flatnonzero(ids), [49])
