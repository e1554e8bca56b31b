"""The mean feature of each class in each image, and every pixel's similarity to its own class's."""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from kernels.precision import accumulable


class ClassMeans(NamedTuple):
    """Of features ``(N, D, H, W)`` and K classes."""

    mean: Tensor
    """``(N, K, D)``; 0 for a class that the image does not have."""
    cosine: Tensor
    """cos(F_i, mean of the class of pixel i), ``(N, H, W)``; 0 at ignored pixels."""


def class_means(features: Tensor, label: Tensor, classes: int) -> ClassMeans:
    """Class means of each image and each pixel's cosine to its own: the map of intra-class feature variation.

    Wang et al., IFVD, https://arxiv.org/abs/2001.07415. The gradient flows through the means too. One product with the
    one-hot labels makes all means, one more all cosines: no loop over classes, and nothing of size D·P in between.

    Args:
        features: ``(N, D, H, W)``, of the student or the teacher.
        label: ``(N, H, W)``, class ids; ids of K or more, 255 among them, are ignored.
        classes: K.
    """
    if features.shape[-2:] != label.shape[-2:]:
        raise ValueError(f"features are {tuple(features.shape)} and labels {tuple(label.shape)}: H, W must agree")
    flat, ids = accumulable(features).flatten(2), label.flatten(1).long()
    with torch.autocast(features.device.type, enabled=False):
        one_hot = (ids[:, None] == torch.arange(classes, device=ids.device)[:, None]).to(flat.dtype)
        mean = one_hot @ flat.mT / one_hot.sum(2, keepdim=True).clamp(min=1)
        projections = F.normalize(mean, dim=2) @ flat
    own = projections.gather(1, ids.clamp(max=classes - 1)[:, None])[:, 0] * (ids < classes)
    cosine = own / torch.linalg.vector_norm(flat, dim=1).clamp(min=1e-12)
    return ClassMeans(mean, cosine.view(label.shape))


def reference_class_means(features: Tensor, label: Tensor, classes: int) -> ClassMeans:
    """`class_means`, a class at a time."""
    features = accumulable(features)
    means, cosine = [], torch.zeros_like(features[:, 0])
    for k in range(classes):
        mask = (label == k)[:, None]
        mean = (features * mask).sum((2, 3)) / mask.sum((2, 3)).clamp(min=1)
        similarity = F.cosine_similarity(features, mean[:, :, None, None], dim=1, eps=1e-12)
        cosine = cosine + torch.where(mask[:, 0], similarity, 0)
        means.append(mean)
    return ClassMeans(torch.stack(means, 1), cosine)
