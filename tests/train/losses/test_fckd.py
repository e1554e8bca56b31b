import math
import statistics

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from kernels import condensation
from tests.train.losses.views import SHAPES
from train.errors import UserError
from train.losses.contract import Views
from train.losses.fckd import FckdConfig
from train.models.tap_shapes import TapShape, TapShapes
from train.models.taps import Taps

Pixels = list[list[float]]


def taps(seed: int, batch: int = 2, classes: int = 4, height: int = 3, width: int = 5, fused: int = 6) -> Taps:
    generator = torch.Generator().manual_seed(seed)

    def randn(channels: int) -> Tensor:
        return 3 * torch.randn(batch, channels, height, width, generator=generator, dtype=torch.float64)

    return Taps({"fused": randn(fused), "logits": randn(classes)})


def label(batch: int = 2, height: int = 3, width: int = 5) -> Tensor:
    return (255 * (torch.rand(batch, height, width, generator=torch.Generator().manual_seed(9)) < 0.3)).byte()


def shapes(student: int, teacher: int) -> TapShapes:
    return TapShapes(4, {"fused": TapShape(student, 4)}, {"fused": TapShape(teacher, 4)})


def softmax(values: list[float], tau: float) -> list[float]:
    exponentials = [math.exp(value / tau) for value in values]
    return [value / sum(exponentials) for value in exponentials]


def kl(teacher: list[float], student: list[float], tau: float) -> float:
    pairs = zip(softmax(teacher, tau), softmax(student, tau), strict=True)
    return tau**2 * sum(p * math.log(p / q) for p, q in pairs)


def enhancement(magnitudes: list[float], kappa: float) -> list[float]:
    mean, spread = statistics.fmean(magnitudes), statistics.pstdev(magnitudes)
    u = [math.exp((value - mean) / spread) for value in magnitudes]
    return [1 + kappa * value / max(u) for value in u]


def naive(student: Tensor, teacher: Tensor, valid: Tensor, config: FckdConfig) -> tuple[float, float]:
    """(spatial, channel) with their λ, from the formulas, a pixel, class and image at a time."""
    spatial: list[tuple[float, float]] = []
    channel: list[float] = []
    for n in range(student.shape[0]):
        z_t, z_s = ([list(m[n, :, y, x].tolist()) for y, x in valid[n].nonzero().tolist()] for m in (teacher, student))
        entropies = [-sum(p * math.log(p) for p in softmax(z, config.entropy_temperature)) for z in z_t]
        matrix = [1 - entropy / math.log(teacher.shape[1]) for entropy in entropies]
        y_t, y_s = ([[m * v for v in z] for m, z in zip(matrix, pixels, strict=True)] for pixels in (z_t, z_s))
        a = enhancement([statistics.fmean(map(abs, pixel)) for pixel in y_t], config.kappa)
        b = enhancement([statistics.fmean(map(abs, values)) for values in zip(*y_t, strict=True)], config.kappa)
        for m, factor, t, s in zip(matrix, a, y_t, y_s, strict=True):
            weight = m if config.pixel_weight == "matrix" else 1.0
            spatial.append((weight, weight * kl([factor * v for v in t], s, config.spatial_temperature)))
        for factor, t, s in zip(b, zip(*y_t, strict=True), zip(*y_s, strict=True), strict=True):
            channel.append(kl([factor * v for v in t], list(s), config.channel_temperature))
    weights, terms = zip(*spatial, strict=True)
    return config.spatial_weight * sum(terms) / sum(weights), config.channel_weight * statistics.fmean(channel)


CONFIGS = {
    "start values": FckdConfig(),
    "weighted": FckdConfig(pixel_weight="matrix"),
    "temperatures": FckdConfig(spatial_temperature=3, channel_temperature=2, entropy_temperature=2, kappa=0.5),
    "lambdas": FckdConfig(spatial_weight=0.3, channel_weight=7, kappa=0),
}


@pytest.mark.parametrize("name", CONFIGS)
def test_terms_are_those_of_the_formulas(name: str) -> None:
    config, student, teacher = CONFIGS[name], taps(1), taps(2)
    terms = config.build(SHAPES)(Views(student, teacher, label()))
    spatial, channel = naive(student.logits, teacher.logits, label() != 255, config)
    assert terms["fckd.spatial"].item() == pytest.approx(spatial, rel=1e-8)
    assert terms["fckd.channel"].item() == pytest.approx(channel, rel=1e-8)


def test_at_the_labels_resolution_both_are_upsampled() -> None:
    student, teacher, config = taps(1), taps(2, height=2, width=4), FckdConfig(resolution="label")
    ids = label(2, 6, 7)
    upsampled = (F.interpolate(of.logits, (6, 7), mode="bilinear") for of in (student, teacher))
    spatial, channel = naive(*upsampled, ids != 255, config)
    terms = config.build(SHAPES)(Views(student, teacher, ids))
    assert terms["fckd.spatial"].item() == pytest.approx(spatial, rel=1e-8)
    assert terms["fckd.channel"].item() == pytest.approx(channel, rel=1e-8)


def test_a_uniform_teacher_teaches_nothing() -> None:
    student, teacher = taps(1), taps(2)
    teacher.logits.fill_(1.5)
    student.logits.requires_grad_()
    terms = FckdConfig().build(SHAPES)(Views(student, teacher, None))
    sum(terms.values()).backward()
    assert all(value.item() == pytest.approx(0, abs=1e-12) for value in terms.values())
    assert student.logits.grad is not None
    assert student.logits.grad.abs().max() < 1e-12


def test_the_minimum_of_the_spatial_term_is_the_enhanced_teacher() -> None:
    teacher = taps(2)
    enhanced = condensation(teacher.logits).spatial[:, None] * teacher.logits
    at_minimum = FckdConfig().build(SHAPES)(Views(Taps({"fused": teacher.fused, "logits": enhanced}), teacher, None))
    at_teacher = FckdConfig().build(SHAPES)(Views(teacher, teacher, None))
    assert at_minimum["fckd.spatial"].item() == pytest.approx(0, abs=1e-12)
    assert at_teacher["fckd.spatial"] > 0


def test_the_minimum_of_the_channel_term_is_the_enhanced_teacher() -> None:
    teacher = taps(2)
    enhanced = condensation(teacher.logits).channel[..., None, None] * teacher.logits
    at_minimum = FckdConfig().build(SHAPES)(Views(Taps({"fused": teacher.fused, "logits": enhanced}), teacher, None))
    at_teacher = FckdConfig().build(SHAPES)(Views(teacher, teacher, None))
    assert at_minimum["fckd.channel"].item() == pytest.approx(0, abs=1e-12)
    assert at_teacher["fckd.channel"] > 0


def test_on_features_an_adapter_maps_the_students_channels_and_learns() -> None:
    loss = FckdConfig(on="features").build(shapes(6, 3)).double()
    student, teacher = taps(1, fused=6), taps(2, fused=3)
    terms = loss(Views(student, teacher))
    sum(terms.values()).backward()
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in loss.parameters())


def test_on_features_the_entropy_is_that_of_the_logits() -> None:
    loss = FckdConfig(on="features").build(shapes(6, 3)).double()
    student, teacher = taps(1, fused=6), taps(2, fused=3)
    teacher.logits.zero_()
    assert all(value.item() == pytest.approx(0, abs=1e-12) for value in loss(Views(student, teacher)).values())


def test_other_classes_are_refused_with_both_shapes() -> None:
    with pytest.raises(UserError, match=r"\(2, 4, 3, 5\).*\(2, 11, 3, 5\)"):
        FckdConfig().build(SHAPES)(Views(taps(1), taps(2, classes=11), None))
