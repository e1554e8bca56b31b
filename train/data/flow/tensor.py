"""Optical flow as a tensor that torchvision's transforms move together with its image."""

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import interpolate
from torchvision import tv_tensors
from torchvision.transforms.v2 import functional

_ALIKE_PX = 0.5


class FlowTensor(tv_tensors.TVTensor):  # type: ignore[misc]  # torchvision has no types
    """A displacement ``(2, H, W)`` float32: x and y in pixels of the image it belongs to. NaN where there is none."""


def _resize(flow: FlowTensor, size: list[int], **_: Any) -> FlowTensor:
    """Vectors grow with the image. Between two motions there is no third: where bilinear makes one up, take nearest."""
    old_height, old_width = flow.shape[-2:]
    plain = flow.as_subclass(Tensor)[None]
    smooth = interpolate(plain, size, mode="bilinear", align_corners=False)
    nearest = interpolate(plain, size, mode="nearest-exact")
    scale = torch.tensor([size[1] / old_width, size[0] / old_height]).view(1, 2, 1, 1)
    smooth, nearest = smooth * scale, nearest * scale
    alike = ((smooth - nearest).abs() < _ALIKE_PX).all(dim=1, keepdim=True)
    return _wrap(torch.where(alike, smooth, nearest)[0], flow)


def _pad(flow: FlowTensor, padding: list[int], **options: Any) -> FlowTensor:
    return _wrap(functional.pad_image(flow.as_subclass(Tensor), padding, **options), flow)


def _crop(flow: FlowTensor, top: int, left: int, height: int, width: int) -> FlowTensor:
    return _wrap(functional.crop_image(flow.as_subclass(Tensor), top, left, height, width), flow)


def _horizontal_flip(flow: FlowTensor) -> FlowTensor:
    return _wrap(flow.as_subclass(Tensor).flip(-1) * torch.tensor([-1.0, 1.0]).view(2, 1, 1), flow)


def _wrap(tensor: Tensor, like: FlowTensor) -> FlowTensor:
    wrapped: FlowTensor = tv_tensors.wrap(tensor, like=like)
    return wrapped


for _function, _kernel in (
    (functional.resize, _resize),
    (functional.pad, _pad),
    (functional.crop, _crop),
    (functional.horizontal_flip, _horizontal_flip),
):
    functional.register_kernel(_function, FlowTensor)(_kernel)
