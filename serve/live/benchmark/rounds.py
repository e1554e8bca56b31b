"""The engine alone and live viewers in turn, so that what the machine does meanwhile hits both."""

import asyncio
import itertools
import time
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

import cv2
import numpy as np
from numpy.typing import NDArray

from export.manifest import Manifest
from export.preprocess import preprocess
from serve.benchmark.server_usage import server_usage
from serve.engines.protocol import Engine
from serve.live.benchmark.viewers import film, saturate
from serve.timing import STAGES
from train.data.image import decode_image

CAMERA_SHARE = 0.9
"""Frames a second that the cameras send, all together, as a share of what the viewers were just given at most."""


@dataclass(frozen=True)
class Level:
    """So many viewers, in one round. Rates are of all viewers together."""

    viewers: int
    engine_per_s: float
    """Inferences of the engine alone, one after the other, just before."""
    masks_per_s: float
    """Where each viewer sends its next frame with each mask."""
    server_ms_per_mask: float
    """Processor time of the server."""
    camera_per_s: float
    """Frames sent where the viewers are cameras."""
    camera_masks_per_s: float
    glass_p50_ms: float
    """From a camera's frame to its class map, in the client."""
    glass_p95_ms: float
    server_p50_ms: float
    """The server's part of it."""
    stages_p50_ms: dict[str, float]

    @property
    def throughput_ratio(self) -> float:
        """Masks to inferences of the engine alone."""
        return self.masks_per_s / self.engine_per_s

    @property
    def glass_ratio(self) -> float:
        """The p95 in frame times of one camera."""
        return self.glass_p95_ms / 1e3 * self.camera_per_s / self.viewers


def engine_rate(engine: Engine, inputs: Sequence[NDArray[np.uint8]], seconds: float) -> float:
    """Inferences a second, one after the other."""
    count, begin = 0, time.perf_counter()
    for image in itertools.cycle(inputs):
        engine.infer(image)
        count += 1
        if time.perf_counter() - begin > seconds:
            break
    return count / (time.perf_counter() - begin)


def inputs_of(frames: Sequence[bytes], manifest: Manifest) -> list[NDArray[np.uint8]]:
    """What the engine gets of the frames."""
    cv2.setNumThreads(1)  # as the server has it
    return [preprocess(decode_image(frame).pixels, manifest.input) for frame in frames]


def measure_level(
    engine: Engine,
    inputs: Sequence[NDArray[np.uint8]],
    server: tuple[str, int],
    frames: Sequence[bytes],
    viewers: int,
    seconds: float,
    smoothing: float,
) -> Level:
    """One level of one round; ``server``: its URL and its process."""
    url, pid = server
    alone = engine_rate(engine, inputs, seconds)
    before = server_usage(pid).cpu_s
    most = asyncio.run(saturate(url, frames, viewers, seconds, smoothing))
    cpu_s = server_usage(pid).cpu_s - before
    rate = CAMERA_SHARE * most.masks_per_s / viewers
    seen = asyncio.run(film(url, frames, viewers, seconds, smoothing, rate))
    return Level(
        viewers=viewers,
        engine_per_s=alone,
        masks_per_s=most.masks_per_s,
        server_ms_per_mask=1e3 * cpu_s / max(1.0, most.masks_per_s * (seconds + 1)),
        camera_per_s=rate * viewers,
        camera_masks_per_s=seen.masks_per_s,
        glass_p50_ms=_percentile(seen.glass_ms, 50),
        glass_p95_ms=_percentile(seen.glass_ms, 95),
        server_p50_ms=_percentile(seen.server_ms, 50),
        stages_p50_ms={stage: median(times[stage] for times in seen.stages_ms) for stage in STAGES},
    )


def memory_over(
    server: tuple[str, int], frames: Sequence[bytes], viewers: int, seconds: float, smoothing: float, per_s: float
) -> tuple[float, float]:
    """Resident MiB of the server, the medians of the first and of the last tenth of ``seconds`` with cameras."""
    url, pid = server
    samples: list[float] = []

    async def sample() -> None:
        while True:
            samples.append(server_usage(pid).memory_bytes / 2**20)
            await asyncio.sleep(seconds / 100)

    async def run() -> None:
        sampling = asyncio.create_task(sample())
        await film(url, frames, viewers, seconds, smoothing, per_s / viewers)
        sampling.cancel()

    asyncio.run(run())
    tenth = max(1, len(samples) // 10)
    return median(samples[tenth : 2 * tenth] or samples), median(samples[-tenth:])


def _percentile(values: Sequence[float], percent: float) -> float:
    return float(np.percentile(values, percent)) if values else float("nan")
