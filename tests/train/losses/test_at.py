import pytest
import torch
from torch import Tensor

from tests.train.losses.views import SHAPES, views
from train.losses.at import AtConfig, attention_map, attention_transfer


def naive_map(features: Tensor, pixels: list[list[int]]) -> list[float]:
    strengths = [sum(v**2 for v in features[:, y, x].tolist()) / features.shape[0] for y, x in pixels]
    length = sum(s**2 for s in strengths) ** 0.5
    return [s / length for s in strengths]


def naive(student: Tensor, teacher: Tensor, valid: Tensor) -> float:
    """Mean over valid pixels of (Q^S - Q^T)², a pixel at a time."""
    squares: list[float] = []
    for n in range(student.shape[0]):
        pixels = valid[n].nonzero().tolist()
        pairs = zip(naive_map(student[n], pixels), naive_map(teacher[n], pixels), strict=True)
        squares += [(a - b) ** 2 for a, b in pairs]
    return sum(squares) / len(squares)


def test_value_is_that_of_the_formula() -> None:
    seen = views()
    assert seen.teacher is not None
    assert seen.label is not None
    expected = naive(seen.student["fused"], seen.teacher["fused"], seen.label[:, 2::4, 2::4] != 255)
    assert AtConfig().build(SHAPES)(seen)["at"].item() == pytest.approx(expected, rel=1e-9)


def test_unlabelled_images_count_whole() -> None:
    seen = views()
    assert seen.teacher is not None
    student, teacher = seen.student["stride:16"], seen.teacher["stride:16"]
    expected = naive(student, teacher, torch.ones(student.shape[0], *student.shape[2:]))
    assert attention_transfer(student, teacher).item() == pytest.approx(expected, rel=1e-9)


def test_a_map_has_length_one_over_the_valid_pixels_of_its_image() -> None:
    features, valid = torch.randn(2, 3, 4, 5, generator=torch.Generator().manual_seed(0)), torch.ones(2, 4, 5).bool()
    valid[0, :2] = False
    found = attention_map(features, valid)
    torch.testing.assert_close(found.square().sum((1, 2)), torch.ones(2))
    assert not found[0, :2].any()


def test_strength_alone_counts_not_its_scale() -> None:
    seen = views()
    student = seen.student["fused"]
    assert attention_transfer(student, -3 * student, seen.label).item() == pytest.approx(0, abs=1e-20)
