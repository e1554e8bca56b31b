import math

import pytest
import torch
from torch import Tensor

from train.losses.warp import warp

STRIDE = 4


def features(batch: int = 2, channels: int = 3, height: int = 5, width: int = 6) -> Tensor:
    return torch.randn(batch, channels, height, width, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def constant_flow(x: float, y: float, height: int = 20, width: int = 24, batch: int = 2) -> Tensor:
    return torch.tensor([x, y], dtype=torch.float64)[None, :, None, None].expand(batch, 2, height, width)


def affine_flow(matrix: list[list[float]], height: int, width: int) -> Tensor:
    """x' - x for x' = A x + b, rows of ``matrix`` (A_x, A_y, b)."""
    y, x = torch.meshgrid(torch.arange(height).double(), torch.arange(width).double(), indexing="ij")
    moved = [a * x + b * y + c for a, b, c in matrix]
    return torch.stack([moved[0] - x, moved[1] - y])[None]


def naive(of: Tensor, x: float, y: float) -> list[float] | None:
    """Bilinear value of ``(C, h, w)`` at (x, y) in cells; None outside."""
    height, width = of.shape[1:]
    if not (0 <= x <= width - 1 and 0 <= y <= height - 1):
        return None
    left, top = min(int(x), width - 2), min(int(y), height - 2)
    a, b = x - left, y - top
    corners = [((1 - a) * (1 - b), top, left), (a * (1 - b), top, left + 1)]
    corners += [((1 - a) * b, top + 1, left), (a * b, top + 1, left + 1)]
    return [sum(weight * of[c, j, i].item() for weight, j, i in corners) for c in range(of.shape[0])]


@pytest.mark.parametrize(("dx", "dy"), [(0, 0), (1, 0), (-2, 1), (0, -3), (9, 0)])
def test_whole_cells_are_moved_exactly(dx: int, dy: int) -> None:
    of = features()
    warped, inside = warp(of, constant_flow(dx * STRIDE, dy * STRIDE))
    for y in range(5):
        for x in range(6):
            there = 0 <= x + dx < 6 and 0 <= y + dy < 5
            assert inside[:, y, x].tolist() == [there, there]
            if there:
                torch.testing.assert_close(warped[:, :, y, x], of[:, :, y + dy, x + dx])


def test_an_affine_flow_is_read_at_the_centres_of_the_cells() -> None:
    matrix = [[0.9, 0.2, 1.3], [-0.1, 1.1, -2.4]]
    of = features(1)
    warped, inside = warp(of, affine_flow(matrix, 20, 24))
    seen = 0
    for j in range(5):
        for i in range(6):
            centre = [(index + 0.5) * STRIDE - 0.5 for index in (i, j)]
            moved = [a * centre[0] + b * centre[1] + c for a, b, c in matrix]
            expected = naive(of[0], *((value + 0.5) / STRIDE - 0.5 for value in moved))
            assert inside[0, j, i] == (expected is not None)
            if expected is not None:
                assert warped[0, :, j, i].tolist() == pytest.approx(expected, abs=1e-12)
                seen += 1
    assert 10 < seen < 30


def test_sides_may_have_strides_of_their_own() -> None:
    of = features(height=10, width=6)
    warped, inside = warp(of, constant_flow(8, 4, height=20, width=24))
    torch.testing.assert_close(warped[:, :, :8, :4], of[:, :, 2:, 2:])
    assert inside[:, :8, :4].all()
    assert inside.sum() == 2 * 8 * 4


def test_the_gradient_flows_through_the_map_and_not_through_the_flow() -> None:
    flow = (1.7 * torch.randn(1, 2, 8, 12, generator=torch.Generator().manual_seed(2))).double().requires_grad_()
    of = features(1, 2, 2, 3).requires_grad_()
    assert torch.autograd.gradcheck(lambda m: warp(m, flow)[0], of)
    warp(of, flow)[0].sum().backward()
    assert flow.grad is None


def test_a_map_of_one_cell() -> None:
    of = features(1, 3, 1, 1)
    warped, inside = warp(of, constant_flow(0, 0, 4, 4, batch=1))
    torch.testing.assert_close(warped, of)
    assert inside.all()
    assert not warp(of, constant_flow(1, 0, 4, 4, batch=1))[1].any()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_warped_in_single(dtype: torch.dtype) -> None:
    of, flow = features().to(dtype), constant_flow(3, -5).float()
    with torch.autocast("cpu", torch.bfloat16):
        warped, _ = warp(of, flow)
    assert warped.dtype == torch.float32
    torch.testing.assert_close(warped, warp(of.float(), flow)[0])


def test_a_flow_far_out_of_the_frame_is_outside_and_finite() -> None:
    warped, inside = warp(features().float(), constant_flow(1e9, -1e9).float())
    assert not inside.any()
    assert all(math.isfinite(value) for value in warped.flatten().tolist())
