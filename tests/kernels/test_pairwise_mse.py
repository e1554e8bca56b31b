from typing import Any

import pytest
import torch
from torch import Tensor

from kernels import pairwise_mse
from kernels.pairwise_mse import reference_pairwise_mse


def randn(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def cosine(x: Tensor, y: Tensor) -> float:
    return float(x @ y / (x.norm() * y.norm()))


def naive(frames: tuple[tuple[Tensor, Tensor], ...], valid: Tensor) -> float:
    """The formula, a pair of pixels at a time. ``frames``: x and y of the student, x and y of the teacher."""
    (x_s, y_s), (x_t, y_t) = frames
    means = []
    for n in range(valid.shape[0]):
        pixels = valid[n].nonzero().tolist()
        squares = [
            (cosine(x_s[n, :, a, b], y_s[n, :, c, d]) - cosine(x_t[n, :, a, b], y_t[n, :, c, d])) ** 2
            for a, b in pixels
            for c, d in pixels
        ]
        if squares:
            means.append(sum(squares) / len(squares))
    return sum(means) / len(means)


@pytest.fixture
def label() -> Tensor:
    label = (255 * (randn(9, 3, 3, 4) < -0.5)).to(torch.uint8)
    label[1] = 255
    return label


@pytest.mark.parametrize(("channels", "teacher_channels"), [(2, 2), (2, 3), (20, 20), (20, 9)])
def test_is_the_mean_over_pairs_and_labelled_images(label: Tensor, channels: int, teacher_channels: int) -> None:
    student, teacher = randn(1, 3, channels, 3, 4), randn(2, 3, teacher_channels, 3, 4)
    loss = pairwise_mse(student, teacher, label)
    assert loss.item() == pytest.approx(naive(((student, student), (teacher, teacher)), label != 255), rel=1e-12)


@pytest.mark.parametrize(("channels", "teacher_channels"), [(2, 2), (2, 3), (20, 20), (20, 9)])
def test_pairs_a_pixel_with_those_of_another_frame(label: Tensor, channels: int, teacher_channels: int) -> None:
    x_s, y_s = randn(1, 3, channels, 3, 4), randn(2, 3, channels, 3, 4)
    x_t, y_t = randn(3, 3, teacher_channels, 3, 4), randn(4, 3, teacher_channels, 3, 4)
    loss = pairwise_mse(x_s, x_t, label, student_other=y_s, teacher_other=y_t, label_other=label)
    assert loss.item() == pytest.approx(naive(((x_s, y_s), (x_t, y_t)), label != 255), rel=1e-12)


def test_frames_may_differ_in_size() -> None:
    x_s, x_t, y_s, y_t = randn(1, 2, 3, 5, 4), randn(2, 2, 4, 5, 4), randn(3, 2, 3, 2, 7), randn(4, 2, 4, 2, 7)
    others = {"student_other": y_s, "teacher_other": y_t}
    torch.testing.assert_close(pairwise_mse(x_s, x_t, **others), reference_pairwise_mse(x_s, x_t, **others))


@pytest.mark.parametrize("teacher_channels", [3, 4])
@pytest.mark.parametrize("two_frames", [False, True])
def test_gradient_is_that_of_the_value(teacher_channels: int, two_frames: bool) -> None:
    student, other = (randn(seed, 2, 3, 5, 3).requires_grad_() for seed in (1, 2))
    teacher, teacher_other = randn(3, 2, teacher_channels, 5, 3), randn(4, 2, teacher_channels, 5, 3)
    label = (255 * (randn(5, 2, 5, 3) < -0.5)).to(torch.uint8)

    def loss(student: Tensor, other: Tensor) -> Tensor:
        if not two_frames:
            return pairwise_mse(student, teacher, label)
        return pairwise_mse(student, teacher, label, student_other=other, teacher_other=teacher_other)

    assert torch.autograd.gradcheck(loss, (student, other))


@pytest.mark.parametrize("difference", [1e-2, 1e-3, 1e-4])
@pytest.mark.parametrize("teacher_channels", [32, 48])
@pytest.mark.parametrize("two_frames", [False, True])
def test_is_accurate_near_the_teacher(difference: float, teacher_channels: int, two_frames: bool) -> None:
    # Similarities of the teacher are those of the student, but for the difference, whatever the channel count.
    rotation = torch.linalg.qr(randn(0, teacher_channels, teacher_channels)).Q[:, :32]
    x, y = randn(1, 1, 32, 32, 32).relu(), randn(2, 1, 32, 32, 32).relu()

    def moved(features: Tensor, seed: int) -> Tensor:
        turned = features if teacher_channels == 32 else torch.einsum("ab,nbhw->nahw", rotation, features)
        return turned + difference * randn(seed, *turned.shape)

    x_s, x_t, y_s, y_t = x, moved(x, 3), y, moved(y, 4)
    others = {"student_other": y_s, "teacher_other": y_t} if two_frames else {}
    expected = reference_pairwise_mse(x_s, x_t, **others)
    single = {key: value.float() for key, value in others.items()}
    loss = pairwise_mse(x_s.float(), x_t.float(), **single)
    assert loss.item() == pytest.approx(expected.item(), rel=1e-3)


def test_a_student_is_as_good_as_its_scale_and_rotation() -> None:
    student = randn(1, 2, 6, 3, 5)
    rotation = torch.linalg.qr(randn(0, 8, 8)).Q[:, :6]
    teacher = 7 * torch.einsum("ab,nbhw->nahw", rotation, student)
    assert pairwise_mse(student, teacher).item() == pytest.approx(0, abs=1e-12)


def test_a_pixel_without_length_is_like_no_other() -> None:
    student, teacher = randn(1, 1, 3, 2, 4), randn(2, 1, 3, 2, 4)
    student[:, :, 0, 0] = 0
    leaf = student.requires_grad_()
    loss = pairwise_mse(leaf, teacher)
    torch.testing.assert_close(loss, reference_pairwise_mse(student, teacher))
    (gradient,) = torch.autograd.grad(loss, leaf)
    assert gradient.isfinite().all()


def test_half_precision_under_autocast_is_summed_in_single() -> None:
    student, teacher = randn(1, 1, 8, 16, 16), randn(2, 1, 8, 16, 16)
    with torch.autocast("cpu", torch.bfloat16):
        loss = pairwise_mse(student.bfloat16(), teacher.bfloat16())
    expected = reference_pairwise_mse(student.bfloat16().double(), teacher.bfloat16().double())
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)


@pytest.mark.parametrize("scale", [1e4, 1e-4])
def test_the_length_of_features_changes_nothing(scale: float) -> None:
    student, teacher = randn(1, 1, 4, 5, 5), randn(2, 1, 4, 5, 5)
    expected = pairwise_mse(student, teacher).item()
    assert pairwise_mse((scale * student).float(), (scale * teacher).float()).item() == pytest.approx(
        expected, rel=1e-4
    )


@pytest.mark.parametrize("teacher_channels", [8, 12])
def test_no_matrix_of_pixels_by_pixels_is_made(teacher_channels: int, largest_tensor: Any) -> None:
    student, teacher = randn(1, 1, 8, 40, 40).float().requires_grad_(), randn(2, 1, teacher_channels, 40, 40).float()
    with largest_tensor() as made:
        pairwise_mse(student, teacher).backward()
    assert made.elements <= 2 * teacher_channels * 1600


def test_another_frame_of_the_student_alone_is_refused() -> None:
    with pytest.raises(ValueError, match="student_other and teacher_other go together"):
        pairwise_mse(randn(1, 1, 3, 2, 2), randn(2, 1, 3, 2, 2), student_other=randn(3, 1, 3, 2, 2))
