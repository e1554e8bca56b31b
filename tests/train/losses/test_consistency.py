import math

import pytest
import torch
from torch import Tensor

from train.losses.consistency import consistency, visibility

STRIDE = 4


def randn(seed: int, *size: int) -> Tensor:
    return torch.randn(*size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def shift(x: float, y: float, batch: int, height: int, width: int) -> Tensor:
    return torch.tensor([x, y], dtype=torch.float64)[None, :, None, None].expand(batch, 2, height, width)


def softmax(values: list[float]) -> list[float]:
    exponentials = [math.exp(value) for value in values]
    return [value / sum(exponentials) for value in exponentials]


def naive(logits: Tensor, other: Tensor, weight: Tensor, dx: int, dy: int) -> float:
    """Σ_i o_i ‖p_i - p'_{i + (dx, dy)}‖² / Σ_i o_i, a cell and a class at a time."""
    batch, _, height, width = logits.shape
    total = norm = 0.0
    for n in range(batch):
        for y in range(max(0, -dy), min(height, height - dy)):
            for x in range(max(0, -dx), min(width, width - dx)):
                p, q = softmax(logits[n, :, y, x].tolist()), softmax(other[n, :, y + dy, x + dx].tolist())
                total += weight[n, y, x].item() * sum((a - b) ** 2 for a, b in zip(p, q, strict=True))
                norm += weight[n, y, x].item()
    return total / norm


@pytest.mark.parametrize(("dx", "dy"), [(0, 0), (2, -1)])
def test_value(dx: int, dy: int) -> None:
    logits, other, weight = randn(1, 2, 4, 5, 6), randn(2, 2, 4, 5, 6), randn(3, 2, 5, 6).abs()
    found = consistency(logits, other, shift(dx * STRIDE, dy * STRIDE, 2, 20, 24), weight)
    assert found.item() == pytest.approx(naive(logits, other, weight, dx, dy), rel=1e-10)


def test_a_shift_equivariant_predictor_is_consistent_under_a_shift() -> None:
    torch.manual_seed(0)
    predictor = torch.nn.Conv2d(3, 5, kernel_size=8, stride=STRIDE).double()
    scene = randn(4, 2, 3, 60, 70)
    first, second = scene[:, :, 8:56, 4:64], scene[:, :, :48, 8:68]
    flow = shift(-4, 8, 2, 48, 60)
    logits, other = predictor(first), predictor(second)
    # A window of 8 pixels each 4: the flow is that of the windows' centres.
    flow = flow[:, :, 2:-2, 2:-2]
    weight = visibility(
        first[:, :, 2:-2, 2:-2],
        second[:, :, 2:-2, 2:-2],
        flow,
        torch.ones(2, 44, 56, dtype=torch.bool),
        logits.shape[-2:],
    )
    assert (weight > 0.999).sum() > 0.5 * weight.numel()
    assert consistency(logits, other, flow, weight).item() == pytest.approx(0, abs=1e-20)
    assert consistency(logits, other, torch.zeros_like(flow), weight) > 0.01


def test_an_affine_flow_between_two_views_of_the_same_plane() -> None:
    """Probabilities linear in space: bilinear warping is exact, and so is the flow."""
    matrix, offset = torch.tensor([[0.95, 0.1], [-0.08, 1.05]]).double(), torch.tensor([1.5, -2.0]).double()
    y, x = torch.meshgrid(torch.arange(24).double(), torch.arange(32).double(), indexing="ij")
    place = torch.stack([x, y])

    def plane(at: Tensor) -> Tensor:
        slopes = torch.tensor([[0.01, 0.003], [-0.006, 0.008], [-0.004, -0.011]]).double()
        return torch.einsum("cd,dhw->chw", slopes, at)[None] + torch.tensor([0.2, 0.35, 0.45]).double()[:, None, None]

    moved = torch.einsum("ed,dhw->ehw", matrix, place) + offset[:, None, None]
    back = torch.einsum("ed,dhw->ehw", matrix.inverse(), place - offset[:, None, None])
    first, second, flow = plane(place), plane(back), (moved - place)[None]
    assert first.min() > 0
    assert second.min() > 0
    at_stride = [torch.nn.functional.avg_pool2d(frame, STRIDE).log() for frame in (first, second)]
    weight = visibility(first, second, flow, torch.ones(1, 24, 32, dtype=torch.bool), at_stride[0].shape[-2:])
    assert weight.amax() == pytest.approx(1)
    assert consistency(*at_stride, flow, weight).item() == pytest.approx(0, abs=1e-20)
    assert consistency(*at_stride, torch.zeros_like(flow), weight) > 1e-5


def test_the_gradient_flows_to_both_frames() -> None:
    logits, other = (randn(seed, 1, 3, 2, 3).requires_grad_() for seed in (1, 2))
    flow, weight = 1.5 * randn(3, 1, 2, 8, 12), randn(4, 1, 2, 3).abs()
    assert torch.autograd.gradcheck(lambda *frames: consistency(*frames, flow, weight), (logits, other))
    consistency(logits, other, flow, weight).backward()
    assert logits.grad is not None
    assert other.grad is not None
    assert logits.grad.any()
    assert other.grad.any()


@pytest.mark.parametrize("weight", [0.0, 1e-42])
def test_next_to_nothing_visible_is_next_to_no_gradient(weight: float) -> None:
    logits = randn(1, 1, 3, 2, 3).float().requires_grad_()
    found = consistency(logits, logits.flip(1), torch.zeros(1, 2, 8, 12), torch.full((1, 2, 3), weight))
    found.backward()
    assert found.isfinite()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()
    assert weight > 0 or (found == 0 and not logits.grad.any())


def test_visibility_is_the_mean_over_a_cell_of_how_well_the_images_agree() -> None:
    first, second, visible = randn(1, 2, 3, 8, 12), randn(2, 2, 3, 8, 12), randn(3, 2, 8, 12) > -0.5
    found = visibility(first, second, shift(2, -1, 2, 8, 12), visible, torch.Size([2, 3]))
    for n in range(2):
        for j in range(2):
            for i in range(3):
                agreement = []
                for y in range(4 * j, 4 * j + 4):
                    for x in range(4 * i, 4 * i + 4):
                        there = bool(visible[n, y, x]) and x + 2 < 12 and y - 1 >= 0
                        pairs = [(first[n, c, y, x], second[n, c, y - 1, x + 2]) for c in range(3)] if there else []
                        agreement.append(math.exp(-sum(abs(a - b).item() for a, b in pairs)) if there else 0.0)
                assert found[n, j, i].item() == pytest.approx(sum(agreement) / 16, abs=1e-12)


def test_no_gradient_flows_through_the_images() -> None:
    image = randn(1, 1, 3, 8, 12).requires_grad_()
    weight = visibility(
        image, image, torch.zeros(1, 2, 8, 12), torch.ones(1, 8, 12, dtype=torch.bool), torch.Size([2, 3])
    )
    assert not weight.requires_grad
    torch.testing.assert_close(weight, torch.ones(1, 2, 3).double())
