import io
import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from tests.train.losses.views import SHAPES, views
from train.losses.mgd import Mgd, MgdConfig


def built(config: MgdConfig) -> Mgd:
    torch.manual_seed(0)
    return config.build(SHAPES).double().eval()


def convolved(features: list[list[list[float]]], layer: nn.Conv2d) -> list[list[list[float]]]:
    """A 3×3 convolution of [channel][row][column], zeros around it, an output at a time."""
    height, width, kernel = len(features[0]), len(features[0][0]), layer.weight.tolist()
    assert layer.bias is not None
    bias = layer.bias.tolist()

    def output(d: int, y: int, x: int) -> float:
        return bias[d] + sum(
            kernel[d][c][j][i] * features[c][y + j - 1][x + i - 1]
            for c in range(len(features))
            for j in range(3)
            for i in range(3)
            if 0 <= y + j - 1 < height and 0 <= x + i - 1 < width
        )

    return [[[output(d, y, x) for x in range(width)] for y in range(height)] for d in range(len(kernel))]


def naive(loss: Mgd, adapted: Tensor, teacher: Tensor, valid: Tensor, seen: Tensor) -> float:
    """Mean over valid pixels of the squared error summed over channels."""
    first, _, second = loss.generation
    assert isinstance(first, nn.Conv2d)
    assert isinstance(second, nn.Conv2d)
    errors = []
    for n in range(len(teacher)):
        features = [
            [
                [v if s else 0.0 for v, s in zip(row, of, strict=True)]
                for row, of in zip(c, seen[n].tolist(), strict=True)
            ]
            for c in adapted[n].tolist()
        ]
        hidden = [[[max(0.0, v) for v in row] for row in channel] for channel in convolved(features, first)]
        generated = convolved(hidden, second)
        for y, x in valid[n].nonzero().tolist():
            errors.append(sum((generated[d][y][x] - t) ** 2 for d, t in enumerate(teacher[n, :, y, x].tolist())))
    return math.fsum(errors) / len(errors)


@pytest.mark.parametrize("ratio", [0.75, 0.2])
def test_value_is_that_of_the_formula(ratio: float) -> None:
    loss, seen = built(MgdConfig(mask_ratio=ratio)), views()
    assert seen.teacher is not None
    assert seen.label is not None
    valid = seen.label[:, 2::4, 2::4] != 255
    unmasked = torch.rand(valid.shape, generator=loss.draws.generator()) >= ratio
    expected = naive(loss, loss.adapter(seen.student["fused"]), seen.teacher["fused"], valid, valid & unmasked)
    assert loss(seen)["mgd"].item() == pytest.approx(expected, rel=1e-9)


def test_the_default_weight_is_the_published_sum_over_64_by_64_pixels() -> None:
    loss, seen = built(MgdConfig(mask_ratio=0)), views(1, 64, 64)
    assert seen.teacher is not None
    generated = loss.generation(loss.adapter(seen.student["fused"]))
    published = 2e-5 * (generated - seen.teacher["fused"]).square().sum()
    torch.testing.assert_close(loss.config.weight * loss(replace(seen, label=None))["mgd"], published)


def test_each_step_and_each_image_has_a_mask_of_its_own() -> None:
    loss, seen = built(MgdConfig()).train(), views()
    same = seen.student.map(lambda m: m[:1].expand(4, *m.shape[1:]).clone().requires_grad_())
    seen = replace(seen, student=same, label=None)
    loss.adapter.eval()
    masks = []
    for _ in range(2):
        gradient = torch.autograd.grad(loss(seen)["mgd"], same["fused"])[0]
        masks.append(gradient.any(1))
    assert not torch.equal(*masks)
    assert not torch.equal(masks[0][0], masks[0][1])
    assert masks[0].double().mean().item() == pytest.approx(0.25, abs=0.1)


def test_a_resumed_run_masks_what_the_uninterrupted_one_would_have() -> None:
    loss, seen, file = built(MgdConfig()).train(), views(), io.BytesIO()
    first = loss(seen)["mgd"]
    torch.save(loss.state_dict(), file)
    resumed = MgdConfig().build(SHAPES).double().train()
    resumed.load_state_dict(torch.load(io.BytesIO(file.getvalue()), weights_only=True))
    second = loss(seen)["mgd"]
    assert torch.equal(resumed(seen)["mgd"], second)
    assert first != second


def test_adapter_and_generation_learn() -> None:
    loss = built(MgdConfig()).train()
    loss(views())["mgd"].backward()
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in loss.parameters())
