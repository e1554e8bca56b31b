"""Training augmentation: random scale, crop, mirror and colour, the same geometry for all that belongs to an image."""

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchvision import tv_tensors
from torchvision.transforms import v2

from train.data.dataset import Sample
from train.data.flow.tensor import FlowTensor
from train.data.neighbour import Neighbour
from train.data.palette import IGNORE_INDEX
from train.data.spec import AugmentSpec, DataConfig


class Crop(NamedTuple):
    """One element of a `train.data.batches.Batch`, which says what the fields are."""

    image: Tensor
    label: Tensor
    valid: Tensor
    neighbour: Tensor | None = None
    flow: Tensor | None = None
    visible: Tensor | None = None
    neighbour_valid: Tensor | None = None


class TrainTransform:
    """From a sample to a training crop, a pure function of the sample, its neighbour and a seed."""

    def __init__(self, config: DataConfig) -> None:
        self._transform = v2.Compose(_transforms(config.size, config.crop or config.size, config.augment))
        self.variants = config.augment.variants

    def __call__(self, sample: Sample, seed: int, neighbour: Neighbour | None = None) -> Crop:
        """A crop; image and label are the same with a neighbour and without."""
        # In the place of a label that is not there, one that shows what is padding.
        label = sample.label if sample.labelled else np.zeros_like(sample.label)
        parts: list[Tensor] = [_image(sample.image), tv_tensors.Mask(_tensor(label))]
        if neighbour is not None:
            displacement = FlowTensor(_tensor(neighbour.flow.displacement).permute(2, 0, 1))
            visible = tv_tensors.Mask(_tensor(neighbour.flow.visible.astype(np.uint8)))
            parts += [_image(neighbour.image), displacement, visible]
        # The transforms draw from the global generator: seeding it by position makes every sample reproducible,
        # whatever the number of workers and wherever a run was resumed.
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            parts = [part.as_subclass(Tensor).contiguous() for part in self._transform(*parts)]
        valid = parts[1] != IGNORE_INDEX
        crop = Crop(parts[0], parts[1] if sample.labelled else torch.full_like(parts[1], IGNORE_INDEX), valid)
        if neighbour is None:
            return crop
        other, flow, mask = parts[2:]
        return crop._replace(
            neighbour=other,
            flow=flow.nan_to_num(0.0),
            visible=(mask == 1) & _lands_inside(flow),
            neighbour_valid=mask != IGNORE_INDEX,
        )


def _image(pixels: NDArray[np.uint8]) -> tv_tensors.Image:
    return tv_tensors.Image(_tensor(pixels).permute(2, 0, 1))


def _tensor(array: NDArray[np.generic]) -> Tensor:
    # Pillow's pixels are read-only, which torch warns of: those are copied.
    return torch.from_numpy(np.require(array, requirements="W"))


def _lands_inside(flow: Tensor) -> Tensor:
    """``(h, w)``: where a flow ``(2, h, w)``, NaN in the padding, ends between pixel centres of the unpadded part."""
    unpadded = ~flow[0].isnan()
    rows, columns = unpadded.any(dim=1).nonzero(), unpadded.any(dim=0).nonzero()
    x = flow[0] + torch.arange(flow.shape[2])
    y = flow[1] + torch.arange(flow.shape[1])[:, None]
    return (x >= columns[0]) & (x <= columns[-1]) & (y >= rows[0]) & (y <= rows[-1])


def _transforms(size: tuple[int, int], crop: tuple[int, int], spec: AugmentSpec) -> list[v2.Transform]:
    padding = {tv_tensors.Image: 0, tv_tensors.Mask: IGNORE_INDEX, FlowTensor: float("nan")}
    return [
        v2.ScaleJitter(target_size=size, scale_range=spec.scale, antialias=True),
        v2.RandomCrop(crop, pad_if_needed=True, fill=padding),
        v2.RandomHorizontalFlip(spec.mirror),
        v2.ColorJitter(brightness=spec.brightness, contrast=spec.contrast, saturation=spec.saturation),
    ]
