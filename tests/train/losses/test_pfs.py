import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from tests.train.losses.views import SHAPES
from train.errors import UserError
from train.losses.contract import Views
from train.losses.pfs import PfsConfig
from train.models.taps import Taps


def taps(seed: int, *size: int) -> Taps:
    fused = torch.randn(*size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return Taps({"fused": fused})


def label(batch: int, height: int, width: int) -> Tensor:
    return (255 * (torch.rand(batch, height, width, generator=torch.Generator().manual_seed(9)) < 0.3)).byte()


def similarities(features: Tensor, valid: Tensor) -> list[list[float]]:
    """s_ij of one image ``(D, H, W)``, a pair of valid pixels at a time."""
    pixels = [features[:, y, x].tolist() for y, x in valid.nonzero().tolist()]
    return [
        [sum(a * b for a, b in zip(x, y, strict=True)) / (math.hypot(*x) * math.hypot(*y)) for y in pixels]
        for x in pixels
    ]


def naive_cosine(student: Tensor, teacher: Tensor, valid: Tensor) -> float:
    """1/P² Σ_ij (s^S_ij - s^T_ij)², mean over the images."""
    images = []
    for of_student, of_teacher, mask in zip(student, teacher, valid, strict=True):
        s, t = similarities(of_student, mask), similarities(of_teacher, mask)
        squares = [(a - b) ** 2 for x, y in zip(s, t, strict=True) for a, b in zip(x, y, strict=True)]
        images.append(sum(squares) / len(squares))
    return sum(images) / len(images)


def naive_attention(student: Tensor, teacher: Tensor, valid: Tensor, tau: float) -> float:
    """1/P Σ_i KL(softmax_j(s^T_ij / τ) ‖ softmax_j(s^S_ij / τ)) over the valid pixels of all images."""
    rows = []
    for of_student, of_teacher, mask in zip(student, teacher, valid, strict=True):
        for s, t in zip(similarities(of_student, mask), similarities(of_teacher, mask), strict=True):
            q, p = ([math.exp(v / tau) for v in row] for row in (s, t))
            rows.append(sum(a / sum(p) * math.log(a / sum(p) / (b / sum(q))) for a, b in zip(p, q, strict=True)))
    return sum(rows) / len(rows)


@pytest.mark.parametrize("teacher_channels", [3, 5])
def test_the_cosine_form(teacher_channels: int) -> None:
    student, teacher, ids = taps(1, 2, 3, 4, 5), taps(2, 2, teacher_channels, 4, 5), label(2, 16, 20)
    loss = PfsConfig().build(SHAPES)(Views(student, teacher, ids))["pfs"]
    centres = ids[:, 2::4, 2::4] != 255
    assert loss.item() == pytest.approx(naive_cosine(student.fused, teacher.fused, centres), rel=1e-10)


@pytest.mark.parametrize("tau", [1.0, 0.1])
def test_the_attention_form(tau: float) -> None:
    student, teacher, ids = taps(1, 2, 3, 4, 5), taps(2, 2, 6, 4, 5), label(2, 16, 20)
    loss = PfsConfig(form="attention", temperature=tau).build(SHAPES)(Views(student, teacher, ids))["pfs"]
    centres = ids[:, 2::4, 2::4] != 255
    assert loss.item() == pytest.approx(naive_attention(student.fused, teacher.fused, centres, tau), rel=1e-10)


def test_unlabelled_images_count_whole() -> None:
    student, teacher = taps(1, 2, 3, 2, 5), taps(2, 2, 4, 2, 5)
    views, everywhere = Views(student, teacher, None), torch.ones(2, 2, 5)
    cosine = PfsConfig().build(SHAPES)(views)["pfs"].item()
    attention = PfsConfig(form="attention").build(SHAPES)(views)["pfs"].item()
    assert cosine == pytest.approx(naive_cosine(student.fused, teacher.fused, everywhere), rel=1e-10)
    assert attention == pytest.approx(naive_attention(student.fused, teacher.fused, everywhere, 1.0), rel=1e-10)


@pytest.mark.parametrize("form", ["cosine", "attention"])
def test_how_long_a_feature_is_changes_nothing(form: str) -> None:
    student, teacher = taps(1, 1, 3, 4, 5), taps(2, 1, 3, 4, 5)
    longer = Taps({"fused": student.fused * torch.rand(1, 1, 4, 5, dtype=torch.float64).add(0.5)})
    loss = PfsConfig(form=form).build(SHAPES)
    torch.testing.assert_close(loss(Views(longer, teacher))["pfs"], loss(Views(student, teacher))["pfs"])


def test_a_teacher_of_another_stride_is_resized_to_the_student() -> None:
    student, teacher = taps(1, 1, 3, 4, 6), taps(2, 1, 3, 2, 3)
    resized = F.interpolate(teacher.fused, (4, 6), mode="bilinear")
    loss = PfsConfig().build(SHAPES)(Views(student, teacher))["pfs"]
    assert loss.item() == pytest.approx(naive_cosine(student.fused, resized, torch.ones(1, 4, 6)), rel=1e-10)


def test_each_form_has_a_weight_to_start_from() -> None:
    assert PfsConfig().weight == 10
    assert PfsConfig(form="attention").weight == 1
    assert PfsConfig(form="attention", weight=3).weight == 3


def test_taps_are_a_choice() -> None:
    config = PfsConfig(student_tap="stride:8", teacher_tap="stride:16")
    student, teacher = taps(1, 1, 3, 4, 6), taps(2, 1, 3, 4, 6)
    views = Views(Taps({"stride:8": student.fused}), Taps({"stride:16": teacher.fused}))
    torch.testing.assert_close(config.build(SHAPES)(views), PfsConfig().build(SHAPES)(Views(student, teacher)))
    assert config.needs.student == {"stride:8"}
    assert config.needs.teacher == {"stride:16"}


def test_a_teacher_is_asked_for() -> None:
    with pytest.raises(UserError, match="pfs needs a teacher"):
        PfsConfig().build(SHAPES)(Views(taps(1, 1, 3, 4, 6)))
