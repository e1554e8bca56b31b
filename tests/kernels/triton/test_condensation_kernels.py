"""The condensation kernels against their float64 reference."""

from typing import Any

import pytest
import torch
from torch import Tensor

from kernels import condensation
from kernels.condensation import reference_condensation

SETTINGS: list[dict[str, Any]] = [
    {},
    {"polarity": "uncertain", "entropy_temperature": 2.0},
    {"mask": "threshold", "threshold": 0.4},
    {"mask": "threshold", "polarity": "uncertain", "enhancement": "unbounded"},
    {"mask": "keep", "keep": 0.3, "kappa": 2.0},
    {"mask": "keep", "polarity": "uncertain", "enhancement_temperature": 3.0},
]


def maps(channels: int, batch: int = 2, height: int = 7, width: int = 9, features: int = 70) -> tuple[Tensor, ...]:
    generator = torch.Generator().manual_seed(channels)
    teacher = 3 * torch.randn(batch, channels, height, width, generator=generator)
    label = (255 * (torch.rand(batch, height, width, generator=generator) < 0.3)).to(torch.uint8)
    return teacher, label, torch.randn(batch, features, height, width, generator=generator)


def assert_agrees(teacher: Tensor, label: Tensor | None, features: Tensor | None, settings: dict[str, Any]) -> None:
    found = condensation(teacher, label, features=features, **settings)
    wide = None if features is None else features.double()
    expected = reference_condensation(teacher.double(), label, features=wide, **settings)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one.double(), other, rtol=2e-4, atol=2e-5)


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
@pytest.mark.parametrize("channels", [2, 19, 171])
def test_on_logits(channels: int, settings: dict[str, Any]) -> None:
    teacher, label, _ = maps(channels, batch=1 if channels > 100 else 2)
    assert_agrees(teacher, label, None, settings)


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_on_features(settings: dict[str, Any]) -> None:
    teacher, label, features = maps(5)
    assert_agrees(teacher, label, features, settings)


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_without_a_label(settings: dict[str, Any]) -> None:
    teacher, _, _ = maps(5)
    assert_agrees(teacher, None, None, settings)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_and_channels_last(dtype: torch.dtype) -> None:
    teacher, label, features = maps(11)
    teacher, features = (m.to(dtype).contiguous(memory_format=torch.channels_last) for m in (teacher, features))
    assert_agrees(teacher, label, None, {})
    assert_agrees(teacher, label, features, {})


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_without_a_valid_pixel(settings: dict[str, Any]) -> None:
    teacher, label, _ = maps(5)
    assert_agrees(teacher, torch.full_like(label, 255), None, settings)


@pytest.mark.parametrize("enhancement", ["bounded", "unbounded"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_huge_logits_stay_finite(dtype: torch.dtype, enhancement: str) -> None:
    teacher, label, _ = maps(5)
    huge = (1e4 * teacher.sign()).to(dtype)
    assert all(factor.isfinite().all() for factor in condensation(huge, label, enhancement=enhancement))


def test_one_pixel() -> None:
    teacher, label, _ = maps(5, 1, 1, 1)
    assert_agrees(teacher, torch.zeros_like(label), None, {})


def test_compiles_without_a_break() -> None:
    teacher, label, features = maps(5)
    compiled = torch.compile(condensation, fullgraph=True, backend="aot_eager")
    found = compiled(teacher, label, features=features, mask="keep")
    for one, other in zip(found, condensation(teacher, label, features=features, mask="keep"), strict=True):
        torch.testing.assert_close(one, other)
