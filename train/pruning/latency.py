"""Milliseconds of one image, by the network as PyTorch runs it on this machine."""

import statistics
import time
from collections.abc import Sequence

import torch
from torch import Tensor

from train.data.resize import Size
from train.models.network import SegmentationNetwork

_WARMUP = 3
_RUNS = 15


def latencies(networks: Sequence[SegmentationNetwork], size: Size) -> list[float]:
    """Medians of networks in eval mode, one after the other in each run, so that they see the same machine."""
    device = networks[0].mean.device
    image = torch.zeros(1, 3, *size, dtype=torch.uint8, device=device)
    runs = [[_ms(network, image) for network in networks] for _ in range(_WARMUP + _RUNS)]
    return [statistics.median(times) for times in zip(*runs[_WARMUP:], strict=True)]


@torch.inference_mode()
def _ms(network: SegmentationNetwork, image: Tensor) -> float:
    began = time.perf_counter()
    network(image)
    if image.device.type == "cuda":
        torch.cuda.synchronize()
    return 1000 * (time.perf_counter() - began)
