"""The formulas as public code writes them: flattened copies, matrices of pixels by pixels, loops over classes."""

import torch
from torch import Tensor
from torch.nn import functional as F


def _pixels_last(logits: Tensor) -> Tensor:
    return logits.permute(0, 2, 3, 1).contiguous().view(-1, logits.shape[1])


def pixel_kl(student: Tensor, teacher: Tensor, label: Tensor) -> Tensor:
    """Softmax of contiguous copies ``(N·H·W, C)``."""
    valid = label.flatten() != 255
    log_q = F.log_softmax(_pixels_last(student), 1)
    divergence = F.kl_div(log_q, F.softmax(_pixels_last(teacher), 1), reduction="none").sum(1)
    return (divergence * valid).sum() / valid.sum()


def pixel_kl_upsampled(student: Tensor, teacher: Tensor, label: Tensor) -> Tensor:
    """Both logits upsampled, then `pixel_kl`."""
    student, teacher = (F.interpolate(z, label.shape[1:], mode="bilinear") for z in (student, teacher))
    return pixel_kl(student, teacher, label)


def channel_kl(student: Tensor, teacher: Tensor, temperature: float = 4.0) -> Tensor:
    """Softmax over space and its logarithm, as in channel-wise distillation."""
    q = F.log_softmax(student.flatten(2) / temperature, 2)
    p = F.softmax(teacher.flatten(2) / temperature, 2)
    return temperature**2 * F.kl_div(q, p, reduction="sum") / (student.shape[0] * student.shape[1])


def cross_entropy(logits: Tensor, label: Tensor) -> Tensor:
    """Logits upsampled where they are smaller than the label."""
    if logits.shape[2:] != label.shape[1:]:
        logits = F.interpolate(logits, label.shape[1:], mode="bilinear")
    return F.cross_entropy(logits, label.long(), ignore_index=255)


def condensation(teacher: Tensor) -> Tensor:
    """Entropy of a contiguous copy, and enhancements of the condensed logits."""
    batch, channels, height, width = teacher.shape
    p = F.softmax(_pixels_last(teacher), 1)
    entropy = -(p * torch.log(p + 1e-12)).sum(1) / torch.log(torch.tensor(float(channels)))
    condensed = teacher * (1 - entropy).view(batch, 1, height, width)
    over_pixels, over_channels = condensed.abs().mean(1).flatten(1), condensed.abs().mean((2, 3))
    factors = []
    for values in (over_pixels, over_channels):
        u = (values - values.mean(1, keepdim=True)) / values.std(1, keepdim=True, correction=0)
        share = F.softmax(u, 1)
        factors.append(1 + share / share.amax(1, keepdim=True))
    spatial = condensed * factors[0].view(batch, 1, height, width)
    return spatial.mean() + (condensed * factors[1][:, :, None, None]).mean()


def pairwise_mse(student: Tensor, teacher: Tensor) -> Tensor:
    """Two matrices of pixels by pixels."""
    x_s, x_t = (F.normalize(m.flatten(2), dim=1) for m in (student, teacher))
    return (torch.einsum("ndi,ndj->nij", x_s, x_s) - torch.einsum("ndi,ndj->nij", x_t, x_t)).square().mean()


def attention_kl(student: Tensor, teacher: Tensor) -> Tensor:
    """Two matrices of pixels by pixels and their softmaxes."""
    x_s, x_t = (m.flatten(2) for m in (student, teacher))
    q, p = F.log_softmax(x_s.mT @ x_s, 2), F.softmax(x_t.mT @ x_t, 2)
    return F.kl_div(q, p, reduction="sum") / (x_s.shape[0] * x_s.shape[2])


def cka(student: Tensor, teacher: Tensor) -> Tensor:
    """Gram matrices of pixels by pixels, centred."""
    grams = []
    for features in (student, teacher):
        samples = features.permute(0, 2, 3, 1).reshape(-1, features.shape[1])
        samples = samples - samples.mean(0)
        grams.append(samples @ samples.T)
    x, y = grams
    return (x * y).sum() / (x.square().sum() * y.square().sum()).sqrt()


def class_means(features: Tensor, label: Tensor, classes: int) -> Tensor:
    """A loop over classes, each over all pixels and channels."""
    centre = features.clone()
    for k in range(classes):
        mask = (label == k)[:, None].to(features)
        mean = (mask * features).sum((2, 3)) / (mask.sum((2, 3)) + 1e-6)
        centre = (1 - mask) * centre + mask * mean[:, :, None, None]
    return F.cosine_similarity(features, centre, dim=1).mean()


def position_attention(query: Tensor, key: Tensor, value: Tensor, grid: int = 5) -> Tensor:
    """A loop over blocks with their attention matrices."""
    rows, columns = (side // grid for side in value.shape[2:])
    attended = torch.zeros_like(value)
    for y in range(grid):
        for x in range(grid):
            ys, xs = slice(y * rows, (y + 1) * rows), slice(x * columns, (x + 1) * columns)
            q, k, v = (m[:, :, ys, xs].flatten(2) for m in (query, key, value))
            attended[:, :, ys, xs] = (v @ F.softmax(q.mT @ k / 2, 2).mT).view(attended[:, :, ys, xs].shape)
    return attended


def channel_attention(features: Tensor) -> Tensor:
    """The energy turned around by its maximum, as in DANet."""
    flat = features.flatten(2)
    energy = flat @ flat.mT
    return F.softmax((energy.amax(2, keepdim=True) - energy) / 2, 2) @ flat


def self_attention(features: Tensor) -> Tensor:
    """The vendor's attention of a map with itself: what a fused kernel reaches on this device."""
    flat = features.flatten(2).mT.contiguous()[:, None]
    return F.scaled_dot_product_attention(flat, flat, flat, scale=1.0).mean()
