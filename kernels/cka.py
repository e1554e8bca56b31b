"""Linear centred kernel alignment of two sets of features."""

from typing import Literal

import torch
from torch import Tensor

from kernels.precision import accumulable
from kernels.valid import map_size, valid_pixels

Mode = Literal["token", "released", "debiased"]


def cka(student: Tensor, teacher: Tensor, label: Tensor | None = None, *, mode: Mode = "token") -> Tensor:
    """‖YᵀX‖² / (‖XᵀX‖ ‖YᵀY‖) of samples X, Y with their means taken off (Kornblith et al., arXiv 1905.00414).

    The modes differ in what a sample is:

    - ``token``: a valid pixel of the batch, D numbers. Products of D×D only, any batch size.
    - ``released``: an image, D·H·W numbers, as in the code of CSKD (Karine et al., 2024). With few images it is close
      to 1 even for independent features.
    - ``debiased``: an image, with the unbiased estimator of HSIC (Song et al., https://jmlr.org/papers/v13/song12a.html),
      which is around 0 for independent features and may be negative.

    For images, ‖YᵀX‖² is the inner product of the two N×N Gram matrices: N is the batch, the smaller side by far.

    Args:
        student: ``(N, D, H, W)``.
        teacher: ``(N, D', H, W)``; no gradient reaches it.
        label: ``(N, H, W)``, 255 = ignore, in mode ``token``.
        mode: see above.

    Returns:
        A scalar; 0 where either side is constant.

    Raises:
        ValueError: fewer than 3 images in mode ``released``, or 4 in ``debiased``.
    """
    x, y = accumulable(student), accumulable(teacher.detach())
    least = {"token": 1, "released": 3, "debiased": 4}[mode]
    if student.shape[0] < least:
        raise ValueError(
            f"cka in mode {mode} takes images as samples, and needs {least} or more; got {student.shape[0]}"
        )
    with torch.autocast(student.device.type, enabled=False):
        if mode == "token":
            return _of_pixels(x, y, valid_pixels(label, map_size(student), student.device))
        gram_x, gram_y = _gram(x), _gram(y)
        hsic = _unbiased_hsic if mode == "debiased" else _hsic
        return _ratio(hsic(gram_x, gram_y), hsic(gram_x, gram_x), hsic(gram_y, gram_y))


def reference_cka(student: Tensor, teacher: Tensor, label: Tensor | None = None, *, mode: Mode = "token") -> Tensor:
    """`cka` as the trace formulas read, with its n×n matrices."""
    x, y = accumulable(student), accumulable(teacher.detach())
    if mode == "token":
        valid = valid_pixels(label, map_size(student), student.device)
        x, y = (features.permute(0, 2, 3, 1)[valid] for features in (x, y))
    gram_x, gram_y = (samples.flatten(1) @ samples.flatten(1).mT for samples in (x, y))
    hsic = _unbiased_hsic if mode == "debiased" else _hsic
    return _ratio(hsic(gram_x, gram_y), hsic(gram_x, gram_x), hsic(gram_y, gram_y))


def _of_pixels(x: Tensor, y: Tensor, valid: Tensor) -> Tensor:
    x, y = _centred(x, valid), _centred(y, valid)
    cross, own_x, own_y = (torch.einsum("nap,nbp->ab", a, b).square().sum() for a, b in ((y, x), (x, x), (y, y)))
    return _ratio(cross, own_x, own_y)


def _centred(features: Tensor, valid: Tensor) -> Tensor:
    """``(N, D, P)`` with the mean over all valid pixels taken off, 0 at ignored ones."""
    features, mask = features.flatten(2), valid.flatten(1)[:, None]
    mean = (features * mask).sum((0, 2), keepdim=True) / valid.sum().clamp(min=1)
    return (features - mean) * mask


def _gram(features: Tensor) -> Tensor:
    """``(n, n)``, of images with their mean taken off: no form of HSIC needs that, but fp32 does."""
    images = features.flatten(1)
    images = images - images.mean(0)
    return images @ images.mT


def _hsic(gram_x: Tensor, gram_y: Tensor) -> Tensor:
    """Inner product of two Gram matrices ``(n, n)`` whose samples' mean is taken off."""
    centred = gram_x - gram_x.mean(0, keepdim=True)
    centred = centred - centred.mean(1, keepdim=True)
    return (centred * gram_y).sum()


def _unbiased_hsic(gram_x: Tensor, gram_y: Tensor) -> Tensor:
    """Eq. 5 of Song et al., up to a factor that cancels: pairs of a sample with itself do not count."""
    n = gram_x.shape[0]
    itself = torch.eye(n, dtype=torch.bool, device=gram_x.device)
    own, other = (gram.masked_fill(itself, 0) for gram in (gram_x, gram_y))
    rows, other_rows = own.sum(1), other.sum(1)
    both = (own * other).sum() + rows.sum() * other_rows.sum() / ((n - 1) * (n - 2))
    return both - 2 / (n - 2) * rows @ other_rows


def _ratio(cross: Tensor, own_x: Tensor, own_y: Tensor) -> Tensor:
    """Alignment from three inner products; 0, with gradient 0, where a side has none with itself."""
    defined = (own_x > 0) & (own_y > 0)
    own = torch.where(defined, own_x, 1).sqrt() * torch.where(defined, own_y, 1).sqrt()
    return torch.where(defined, cross / own, 0 * cross)
