import torch
from torch import Tensor

from train.losses.cbam import Cbam, untrained_cbam


def features() -> Tensor:
    return torch.randn(2, 3, 4, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def everywhere() -> Tensor:
    return torch.ones(2, 4, 5, dtype=torch.bool)


def test_gates_are_those_of_channels_then_those_of_pixels() -> None:
    cbam, x = Cbam(3).double().eval(), features()
    x_gated = x * (cbam.channel(x.mean((2, 3))) + cbam.channel(x.amax((2, 3)))).sigmoid()[..., None, None]
    pixels = cbam.spatial(torch.stack([x_gated.amax(1), x_gated.mean(1)], 1)).sigmoid()
    torch.testing.assert_close(cbam(x, everywhere()), x_gated * pixels)


def test_without_layers_gates_are_the_sums_of_mean_and_maximum() -> None:
    x = features()
    x_gated = x * (x.mean((2, 3)) + x.amax((2, 3))).sigmoid()[..., None, None]
    pixels = (x_gated.mean(1) + x_gated.amax(1)).sigmoid()
    torch.testing.assert_close(untrained_cbam(x, everywhere()), x_gated * pixels[:, None])


def test_ignored_pixels_have_no_part_in_the_gates_of_the_others() -> None:
    cbam, valid, other = Cbam(3).double().eval(), everywhere(), features()
    valid[:, :2, 1:] = False
    other[:, :, :2, 1:] = 100
    for refine in (cbam, untrained_cbam):
        torch.testing.assert_close(refine(features(), valid) * valid[:, None], refine(other, valid) * valid[:, None])


def test_an_image_without_a_valid_pixel_stays_finite() -> None:
    found = Cbam(3).double().eval()(features(), ~everywhere())
    assert found.isfinite().all()
    assert untrained_cbam(features(), ~everywhere()).isfinite().all()
