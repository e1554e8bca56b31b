"""Feature condensation: what a teacher is sure of, as a matrix over pixels, and its soft enhancement."""

import math
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor

from kernels.choice import use_tiles, use_triton
from kernels.enhancement import Enhancement, enhance
from kernels.precision import accumulable
from kernels.valid import map_size, valid_pixels

Mask = Literal["soft", "threshold", "keep"]
Polarity = Literal["confident", "uncertain"]


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
    if use_triton(teacher):
        masks = (mask, threshold, keep, polarity)
        matrix, over_pixels, over_channels, valid = _on_gpu(teacher, label, features, entropy_temperature, *masks)
        factors = enhance(over_pixels, over_channels, valid, enhancement, kappa, enhancement_temperature)
        return Condensation(matrix, *factors)
    settings: dict[str, Any] = {
        "entropy_temperature": entropy_temperature,
        "mask": mask,
        "threshold": threshold,
        "keep": keep,
        "polarity": polarity,
        "enhancement": enhancement,
        "kappa": kappa,
        "enhancement_temperature": enhancement_temperature,
    }
    if not use_tiles(teacher):
        return reference_condensation(teacher, label, features=features, **settings)
    # Images do not depend on each other: what one needs on the way is gone before the next one's turn.
    images = []
    for index in range(teacher.shape[0]):
        image = slice(index, index + 1)
        ids, condensed = (None if m is None else m[image] for m in (label, features))
        images.append(reference_condensation(teacher[image], ids, features=condensed, **settings))
    return Condensation(*(torch.cat(parts) for parts in zip(*images, strict=True)))


def _on_gpu(
    teacher: Tensor,
    label: Tensor | None,
    features: Tensor | None,
    temperature: float,
    mask: Mask,
    threshold: float,
    keep: float,
    polarity: Polarity,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """(M, mean_c |Y_ci|, Σ_i |Y_ci|, valid)."""
    from kernels.triton.condensation import condensation_entropy, condensation_magnitude

    valid = valid_pixels(label, map_size(teacher), teacher.device)
    form, scale = "" if mask == "keep" else mask, 1 / math.log(teacher.shape[1])
    settings = (temperature, scale, form, threshold, polarity == "uncertain")
    matrix, over_pixels, over_channels = condensation_entropy(teacher.detach(), label, *settings)
    if mask == "keep":
        matrix = _masked(_lowest(matrix, valid, keep), valid, polarity)
    if mask == "keep" or features is not None:
        condensed = teacher if features is None else features
        over_pixels, over_channels = condensation_magnitude(condensed.detach(), matrix)
    return matrix, over_pixels, over_channels, valid


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
    matrix = _matrix(_normalised_entropy(teacher / entropy_temperature), valid, mask, threshold, keep)
    matrix = _masked(matrix, valid, polarity)
    magnitude = (teacher if features is None else accumulable(features)).abs()
    with torch.autocast(teacher.device.type, enabled=False):
        over_channels = torch.einsum("nchw,nhw->nc", magnitude, matrix)
    factors = (enhancement, kappa, enhancement_temperature)
    return Condensation(matrix, *enhance(matrix * magnitude.mean(1), over_channels, valid, *factors))


def _normalised_entropy(logits: Tensor) -> Tensor:
    log_p = logits.log_softmax(1)
    return ((log_p.exp() * log_p).sum(1) / -math.log(logits.shape[1])).clamp(0, 1)


def _matrix(entropy: Tensor, valid: Tensor, mask: Mask, threshold: float, keep: float) -> Tensor:
    if mask == "soft":
        return 1 - entropy
    if mask == "threshold":
        return (entropy <= threshold).to(entropy)
    return _lowest(entropy, valid, keep)


def _lowest(entropy: Tensor, valid: Tensor, keep: float) -> Tensor:
    """1 at the ``keep`` share of each image's valid pixels whose entropy is lowest, ties included, else 0."""
    ascending = entropy.masked_fill(~valid, 2.0).flatten(1).sort(1).values
    kept = (keep * valid.flatten(1).sum(1, keepdim=True)).ceil().long().clamp(min=1)
    return (entropy <= ascending.gather(1, kept - 1)[..., None]).to(entropy)


def _masked(matrix: Tensor, valid: Tensor, polarity: Polarity) -> Tensor:
    return (matrix if polarity == "confident" else 1 - matrix) * valid
