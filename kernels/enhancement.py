"""Soft enhancement: factors over pixels and over channels that grow with the condensed output."""

from typing import Literal

import torch
from torch import Tensor

Enhancement = Literal["bounded", "unbounded"]

# Spread below this share of the mean is rounding, and is not blown up to a spread of 1.
_FLAT = 1e-5


def enhance(
    over_pixels: Tensor, over_channels: Tensor, valid: Tensor, form: Enhancement, kappa: float, temperature: float
) -> tuple[Tensor, Tensor]:
    """a ``(N, H, W)`` and b ``(N, C)``; `kernels.condensation` gives the formulas.

    Args:
        over_pixels: mean_c |Y_ci|, ``(N, H, W)``.
        over_channels: Σ_i |Y_ci| over the valid pixels, ``(N, C)``.
        valid: ``(N, H, W)``; a is 1 elsewhere.
        form: bounded or unbounded.
        kappa: κ of the bounded form.
        temperature: τ_a.
    """
    pixels = valid.flatten(1)
    spatial = _factors(over_pixels.flatten(1), pixels, form, kappa, temperature)
    over_channels = over_channels / pixels.sum(1, keepdim=True).clamp(min=1)
    channel = _factors(over_channels, torch.ones_like(over_channels, dtype=torch.bool), form, kappa, temperature)
    return spatial.view_as(over_pixels), channel


def _factors(magnitude: Tensor, valid: Tensor, form: Enhancement, kappa: float, temperature: float) -> Tensor:
    """Of ``magnitude`` ``(N, K)`` over the valid ones of its K entries, 1 at the others."""
    if form == "unbounded":
        share = (magnitude / temperature).masked_fill(~valid, -torch.inf).softmax(1)
        return torch.where(valid, share * valid.sum(1, keepdim=True), 1)
    standardised = _standardise(magnitude, valid) / temperature
    highest = standardised.masked_fill(~valid, -torch.inf).amax(1, keepdim=True)
    # softmax / max softmax, without the softmax
    return torch.where(valid, 1 + kappa * (standardised - highest).exp(), 1)


def _standardise(values: Tensor, valid: Tensor) -> Tensor:
    """To mean 0 and spread 1 over the valid entries of each row; 0 where all are equal."""
    count = valid.sum(1, keepdim=True).clamp(min=1)
    mean = (values * valid).sum(1, keepdim=True) / count
    centred = (values - mean) * valid
    variance = centred.square().sum(1, keepdim=True) / count
    spread = (variance + (_FLAT * mean).square()).sqrt()
    return centred / spread.clamp(min=torch.finfo(values.dtype).tiny)
