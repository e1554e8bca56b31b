"""How long networks take here, measured side by side."""

import statistics
import time
from collections.abc import Iterable, Iterator, Sequence

import torch
from torch import Tensor

from train.data.resize import Size
from train.models.build import predict
from train.models.network import SegmentationNetwork

_WARMUP = 3


def passes(networks: Sequence[SegmentationNetwork], sizes: Sequence[Size], samples: int) -> Iterator[list[float]]:
    """One pass of each network, then of each again: what else the machine does hits all alike, so that ratios hold.

    Milliseconds from one uint8 image to its class ids, by eager PyTorch in channels_last. With one CPU thread it is
    that thread's own time, which other load changes least.

    Args:
        networks: on one device; they are left in eval mode and in channels_last.
        sizes: of the image of each, height and width, pixels.
        samples: passes that are given; those before them, to warm up, are not.
    """
    device = networks[0].mean.device
    images = [torch.zeros(1, 3, *size, dtype=torch.uint8, device=device) for size in sizes]
    images = [image.to(memory_format=torch.channels_last) for image in images]
    ready = [network.eval().to(memory_format=torch.channels_last) for network in networks]
    for number in range(_WARMUP + samples):
        times = [_ms(*one) for one in zip(ready, images, sizes, strict=True)]
        if number >= _WARMUP:
            yield times


def medians(times: Iterable[list[float]]) -> list[float]:
    """The median of each network over the passes, milliseconds."""
    return [statistics.median(own) for own in zip(*times, strict=True)]


@torch.inference_mode()
def _ms(network: SegmentationNetwork, image: Tensor, size: Size) -> float:
    on_cpu = image.device.type == "cpu"
    clock = time.thread_time if on_cpu and torch.get_num_threads() == 1 else time.perf_counter
    began = clock()
    predict(network(image).logits, size)
    if not on_cpu:
        torch.cuda.synchronize()
    return 1e3 * (clock() - began)
