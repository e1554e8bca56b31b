"""How long networks take here, measured side by side."""

import statistics
import time
from collections.abc import Sequence

import torch

from train.data.resize import Size
from train.models.build import predict
from train.models.network import SegmentationNetwork
from train.progress import progress

_WARMUP = 3


@torch.inference_mode()
def latencies(networks: Sequence[SegmentationNetwork], sizes: Sequence[Size], samples: int) -> list[float]:
    """Milliseconds from one uint8 image to its class ids, eager PyTorch in channels_last: the median of each.

    One pass of each network, then of each again: what else the machine does hits all alike, so that ratios hold. With
    one thread it is that thread's own time, which other load changes least.
    """
    clock = time.thread_time if torch.get_num_threads() == 1 else time.perf_counter
    images = [torch.zeros(1, 3, *size, dtype=torch.uint8).to(memory_format=torch.channels_last) for size in sizes]
    ready = [network.eval().to(memory_format=torch.channels_last) for network in networks]
    times: list[list[float]] = [[] for _ in ready]
    for _ in progress(range(_WARMUP + samples), "latency", _WARMUP + samples):
        for of, network, image, size in zip(times, ready, images, sizes, strict=True):
            began = clock()
            predict(network(image).logits, size)
            of.append(1e3 * (clock() - began))
    return [statistics.median(of[_WARMUP:]) for of in times]
