"""Training augmentation: random scale, crop, mirror and colour, the same geometry for image and label."""

import numpy as np
import torch
from torch import Tensor
from torchvision import tv_tensors
from torchvision.transforms import v2

from train.data.dataset import Sample
from train.data.palette import IGNORE_INDEX
from train.data.spec import AugmentSpec, DataConfig


class TrainTransform:
    """From a sample to a training pair, a pure function of the sample and a seed."""

    def __init__(self, config: DataConfig) -> None:
        self._transform = v2.Compose(_transforms(config.size, config.crop or config.size, config.augment))

    def __call__(self, sample: Sample, seed: int) -> tuple[Tensor, Tensor]:
        """Image ``(3, h, w)`` uint8 and label ``(h, w)`` uint8 at the size of a crop."""
        # Pillow's pixels are read-only, which torch warns of: those are copied.
        image = tv_tensors.Image(torch.from_numpy(np.require(sample.image, requirements="W")).permute(2, 0, 1))
        label = tv_tensors.Mask(torch.from_numpy(np.require(sample.label, requirements="W")))
        # The transforms draw from the global generator: seeding it by position makes every sample reproducible,
        # whatever the number of workers and wherever a run was resumed.
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            image, label = self._transform(image, label)
        return image.as_subclass(Tensor).contiguous(), label.as_subclass(Tensor).contiguous()


def _transforms(size: tuple[int, int], crop: tuple[int, int], spec: AugmentSpec) -> list[v2.Transform]:
    return [
        v2.ScaleJitter(target_size=size, scale_range=spec.scale, antialias=True),
        v2.RandomCrop(crop, pad_if_needed=True, fill={tv_tensors.Image: 0, tv_tensors.Mask: IGNORE_INDEX}),
        v2.RandomHorizontalFlip(spec.mirror),
        v2.ColorJitter(brightness=spec.brightness, contrast=spec.contrast, saturation=spec.saturation),
    ]
