import math
import statistics

import pytest
import torch
from torch import Tensor

from kernels import condensation

CLASSES, HEIGHT, WIDTH = 4, 5, 6


@pytest.fixture
def teacher() -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return 5 * torch.randn(2, CLASSES, HEIGHT, WIDTH, generator=generator, dtype=torch.float64)


@pytest.fixture
def label() -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return (255 * (torch.rand(2, HEIGHT, WIDTH, generator=generator) < 0.3)).to(torch.uint8)


def naive_entropy(logits: list[float], tau: float) -> float:
    """h of one pixel."""
    exponentials = [math.exp((z - max(logits)) / tau) for z in logits]
    p = [e / sum(exponentials) for e in exponentials]
    return -sum(v * math.log(v) for v in p if v > 0) / math.log(len(p))


def naive_bounded(magnitudes: list[float], kappa: float, tau: float) -> list[float]:
    mean, spread = statistics.fmean(magnitudes), statistics.pstdev(magnitudes)
    u = [(value - mean) / spread / tau for value in magnitudes]
    softmax = [math.exp(value) / sum(math.exp(other) for other in u) for value in u]
    return [1 + kappa * value / max(softmax) for value in softmax]


def naive_unbounded(magnitudes: list[float], tau: float) -> list[float]:
    exponentials = [math.exp(value / tau) for value in magnitudes]
    return [len(magnitudes) * value / sum(exponentials) for value in exponentials]


def valid_of(label: Tensor, image: int) -> list[tuple[int, int]]:
    return [(y, x) for y, x in (label[image] != 255).nonzero().tolist()]


@pytest.mark.parametrize("tau", [1.0, 3.0])
def test_the_matrix_is_one_minus_the_normalised_entropy(teacher: Tensor, tau: float) -> None:
    matrix = condensation(teacher, entropy_temperature=tau).matrix
    for n, y, x in torch.ones_like(matrix).nonzero().tolist():
        expected = 1 - naive_entropy(teacher[n, :, y, x].tolist(), tau)
        assert matrix[n, y, x].item() == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("enhancement", ["bounded", "unbounded"])
def test_enhancements_follow_the_condensed_output(teacher: Tensor, label: Tensor, enhancement: str) -> None:
    matrix, spatial, channel = condensation(
        teacher, label, enhancement=enhancement, kappa=1.5, enhancement_temperature=0.7
    )
    for n in range(2):
        pixels = valid_of(label, n)
        condensed = [[abs(float(matrix[n, y, x] * z)) for z in teacher[n, :, y, x]] for y, x in pixels]
        over_pixels = [statistics.fmean(values) for values in condensed]
        over_channels = [statistics.fmean(values) for values in zip(*condensed, strict=True)]
        if enhancement == "bounded":
            a, b = (naive_bounded(values, 1.5, 0.7) for values in (over_pixels, over_channels))
        else:
            a, b = (naive_unbounded(values, 0.7) for values in (over_pixels, over_channels))
        assert [spatial[n, y, x].item() for y, x in pixels] == pytest.approx(a, rel=1e-8)
        assert channel[n].tolist() == pytest.approx(b, rel=1e-8)


def test_features_are_enhanced_by_their_own_magnitude(teacher: Tensor, label: Tensor) -> None:
    features = torch.randn(2, 7, HEIGHT, WIDTH, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    matrix, spatial, channel = condensation(teacher, label, features=features)
    torch.testing.assert_close(matrix, condensation(teacher, label).matrix)
    assert channel.shape == (2, 7)
    magnitudes = [float(matrix[0, y, x] * features[0, :, y, x].abs().mean()) for y, x in valid_of(label, 0)]
    expected = naive_bounded(magnitudes, 1.0, 1.0)
    assert [spatial[0, y, x].item() for y, x in valid_of(label, 0)] == pytest.approx(expected, rel=1e-8)


def test_bounded_factors_reach_from_one_to_one_plus_kappa(teacher: Tensor) -> None:
    matrix, spatial, channel = condensation(teacher, kappa=2.0)
    assert matrix.min() >= 0
    assert matrix.max() <= 1
    for factor in (spatial, channel):
        assert factor.min() >= 1
        assert factor.flatten(1).amax(1).tolist() == pytest.approx([3.0, 3.0])


def test_kappa_zero_switches_the_enhancement_off(teacher: Tensor) -> None:
    _, spatial, channel = condensation(teacher, kappa=0.0)
    assert (spatial == 1).all()
    assert (channel == 1).all()


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_a_uniform_teacher_is_condensed_to_nothing(dtype: torch.dtype) -> None:
    matrix, spatial, channel = condensation(torch.full((1, 7, 3, 4), 2.5, dtype=dtype))
    torch.testing.assert_close(matrix, torch.zeros_like(matrix), atol=1e-6, rtol=0)
    assert spatial.isfinite().all()
    assert channel.isfinite().all()


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
def test_a_one_hot_teacher_is_kept_whole(dtype: torch.dtype) -> None:
    teacher = torch.full((1, 4, 3, 4), -1e4, dtype=dtype)
    teacher[:, 2] = 1e4
    matrix, spatial, _ = condensation(teacher)
    assert (matrix == 1).all()
    torch.testing.assert_close(spatial, torch.full_like(spatial, 2.0))


def test_threshold_keeps_pixels_up_to_an_entropy(teacher: Tensor) -> None:
    soft = condensation(teacher).matrix
    assert torch.equal(condensation(teacher, mask="threshold", threshold=0.3).matrix, (1 - soft <= 0.3).double())


@pytest.mark.parametrize(("keep", "kept"), [(0.1, 2), (0.5, 9), (1.0, 17)])
def test_keep_takes_a_share_of_the_valid_pixels_of_each_image(teacher: Tensor, keep: float, kept: int) -> None:
    label = torch.zeros(2, HEIGHT, WIDTH, dtype=torch.uint8)
    label.view(2, -1)[:, 17:] = 255
    matrix = condensation(teacher, label, mask="keep", keep=keep).matrix
    soft = condensation(teacher).matrix.view(2, -1)[:, :17]
    assert matrix.flatten(1).sum(1).tolist() == [kept, kept]
    for image in range(2):
        chosen = matrix[image].flatten()[:17].bool()
        assert soft[image][chosen].min() >= soft[image][~chosen].max() if kept < 17 else chosen.all()


def test_uncertain_polarity_is_the_complement(teacher: Tensor) -> None:
    confident = condensation(teacher).matrix
    torch.testing.assert_close(condensation(teacher, polarity="uncertain").matrix, 1 - confident)


def test_ignored_pixels_change_nothing(teacher: Tensor, label: Tensor) -> None:
    expected = condensation(teacher, label, mask="keep")
    ignored = (label == 255)[:, None]
    found = condensation(torch.where(ignored, 50 * teacher.flip(1), teacher), label, mask="keep")
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("enhancement", ["bounded", "unbounded"])
@pytest.mark.parametrize("mask", ["soft", "threshold", "keep"])
def test_an_image_without_a_valid_pixel_is_condensed_to_nothing(teacher: Tensor, mask: str, enhancement: str) -> None:
    label = torch.full((2, HEIGHT, WIDTH), 255)
    matrix, spatial, channel = condensation(teacher, label, mask=mask, enhancement=enhancement)
    assert not matrix.any()
    assert (spatial == 1).all()
    assert channel.isfinite().all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("enhancement", ["bounded", "unbounded"])
def test_huge_logits_stay_finite(teacher: Tensor, dtype: torch.dtype, enhancement: str) -> None:
    huge = (1e4 * teacher.sign()).to(dtype)
    assert all(factor.isfinite().all() for factor in condensation(huge, enhancement=enhancement))


def test_one_pixel() -> None:
    matrix, spatial, channel = condensation(torch.tensor([1.0, 5.0])[None, :, None, None])
    assert 0 < matrix.item() < 1
    assert spatial.item() == 2
    assert channel.max() == 2
