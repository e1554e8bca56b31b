"""Feature condensation: what a teacher is sure of, as a matrix over pixels, and its soft enhancement."""

import math
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from kernels.precision import accumulable
from kernels.valid import map_size, valid_pixels

Mask = Literal["soft", "threshold", "keep"]
Polarity = Literal["confident", "uncertain"]
Enhancement = Literal["bounded", "unbounded"]

# Spread below this share of the mean is rounding, and is not blown up to a spread of 1.
_FLAT = 1e-5


class Condensation(NamedTuple):
    """All constants: no gradient flows through them. Ignored pixels have matrix 0 and spatial 1."""

    matrix: Tensor
    """M, ``(N, H, W)``, in 0..1."""
    spatial: Tensor
    """a, ``(N, H, W)``, in 1..1+κ when bounded."""
    channel: Tensor
    """b, ``(N, C)``, in 1..1+κ when bounded."""


def condensation(
    teacher: Tensor,
    label: Tensor | None = None,
    *,
    features: Tensor | None = None,
    entropy_temperature: float = 1.0,
    mask: Mask = "soft",
    threshold: float = 0.5,
    keep: float = 0.5,
    polarity: Polarity = "confident",
    enhancement: Enhancement = "bounded",
    kappa: float = 1.0,
    enhancement_temperature: float = 1.0,
) -> Condensation:
    """The condensation matrix M of a teacher and the enhancements a, b of its condensed output Y = M ⊙ z.

    After FCKDNet (Entropy 2023, https://doi.org/10.3390/e25010125); reconstructed from its abstract. Per image, over
    its valid pixels i, with p_i = softmax_c(z_i / τ_e) and h_i = -Σ_c p_ic log p_ic / log C:

        M_i = 1 - h_i (soft) | 1[h_i ≤ θ] (threshold) | 1[h_i among the ⌈qP⌉ lowest, ties kept] (keep)
        uncertain polarity: M ← 1 - M
        bounded:    a_i = 1 + κ softmax_i(u) / max_i softmax_i(u)    u = standardise(mean_c |Y_ci| over i) / τ_a
                    b_c = 1 + κ softmax_c(v) / max_c softmax_c(v)    v = standardise(mean_i |Y_ci| over c) / τ_a
        unbounded:  a_i = P softmax_i(mean_c |Y_ci| / τ_a)           b_c = C softmax_c(mean_i |Y_ci| / τ_a)

    ``unbounded`` is the form known from detection, where τ_a = 0.5 acts on features; on logits it destroys training
    and is here for the record.

    Args:
        teacher: logits z, ``(N, C, H, W)`` with C ≥ 2.
        label: ``(N, H, W)``, 255 = ignore; None: every pixel is valid.
        features: ``(N, D, H, W)``; Y is then M ⊙ features and b is ``(N, D)``. The entropy stays that of the logits.
        entropy_temperature: τ_e.
        mask: form of M; ``threshold`` is θ, ``keep`` is q, the share of an image's pixels that is kept.
        polarity: keep what the teacher is confident of, or what it is uncertain of.
        enhancement: form of a and b.
        kappa: κ of the bounded form; 0 switches the enhancement off.
        enhancement_temperature: τ_a.
    """
    return reference_condensation(
        teacher,
        label,
        features=features,
        entropy_temperature=entropy_temperature,
        mask=mask,
        threshold=threshold,
        keep=keep,
        polarity=polarity,
        enhancement=enhancement,
        kappa=kappa,
        enhancement_temperature=enhancement_temperature,
    )


@torch.no_grad()
def reference_condensation(
    teacher: Tensor,
    label: Tensor | None = None,
    *,
    features: Tensor | None = None,
    entropy_temperature: float = 1.0,
    mask: Mask = "soft",
    threshold: float = 0.5,
    keep: float = 0.5,
    polarity: Polarity = "confident",
    enhancement: Enhancement = "bounded",
    kappa: float = 1.0,
    enhancement_temperature: float = 1.0,
) -> Condensation:
    """`condensation` in plain PyTorch."""
    teacher = accumulable(teacher)
    valid = valid_pixels(label, map_size(teacher), teacher.device)
    entropy = _normalised_entropy(teacher / entropy_temperature)
    matrix = _matrix(entropy, valid, mask, threshold, keep)
    if polarity == "uncertain":
        matrix = 1 - matrix
    matrix = matrix * valid
    magnitude = (teacher if features is None else accumulable(features)).abs()
    over_pixels = (matrix * magnitude.mean(1)).flatten(1)
    pixels = valid.flatten(1)
    over_channels = torch.einsum("nchw,nhw->nc", magnitude, matrix) / pixels.sum(1, keepdim=True).clamp(min=1)
    spatial = _enhance(over_pixels, pixels, enhancement, kappa, enhancement_temperature)
    every_channel = torch.ones_like(over_channels, dtype=torch.bool)
    channel = _enhance(over_channels, every_channel, enhancement, kappa, enhancement_temperature)
    return Condensation(matrix, spatial.view_as(matrix), channel)


def _normalised_entropy(logits: Tensor) -> Tensor:
    log_p = logits.log_softmax(1)
    return ((log_p.exp() * log_p).sum(1) / -math.log(logits.shape[1])).clamp(0, 1)


def _matrix(entropy: Tensor, valid: Tensor, mask: Mask, threshold: float, keep: float) -> Tensor:
    if mask == "soft":
        return 1 - entropy
    if mask == "threshold":
        return (entropy <= threshold).to(entropy)
    ascending = entropy.masked_fill(~valid, 2.0).flatten(1).sort(1).values
    kept = (keep * valid.flatten(1).sum(1, keepdim=True)).ceil().long().clamp(min=1)
    return (entropy <= ascending.gather(1, kept - 1)[..., None]).to(entropy)


def _enhance(magnitude: Tensor, valid: Tensor, form: Enhancement, kappa: float, temperature: float) -> Tensor:
    """Enhancement factors of ``magnitude`` ``(N, K)`` over the valid ones of its K entries, 1 at the others."""
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
