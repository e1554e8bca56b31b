"""Viewers of a live server, each over a connection of its own, as a program of a user has it."""

import asyncio
import itertools
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from serve.client import AsyncClient
from serve.client.async_live import AsyncLiveStream

IN_FLIGHT = 3
"""Frames of a viewer that wants as many masks as there can be: one in the network, one decoded, one waiting."""

_WARM_UP_S = 1.0


@dataclass(frozen=True)
class Seen:
    """What all viewers together got, after the first second."""

    seconds: float
    sent: int
    glass_ms: list[float] = field(default_factory=list)
    """Of each mask: from before its frame is sent until its class map is there."""
    server_ms: list[float] = field(default_factory=list)
    """The part of it that the server tells of."""
    stages_ms: list[dict[str, float]] = field(default_factory=list)

    @property
    def masks_per_s(self) -> float:
        """Of all viewers."""
        return len(self.glass_ms) / self.seconds


async def saturate(url: str, frames: Sequence[bytes], viewers: int, seconds: float, smoothing: float) -> Seen:
    """Each viewer sends its next frame with each mask that comes."""
    return await _watch(url, frames, viewers, seconds, smoothing, None)


async def film(
    url: str, frames: Sequence[bytes], viewers: int, seconds: float, smoothing: float, frames_per_s: float
) -> Seen:
    """Each viewer is a camera, which sends ``frames_per_s`` whatever comes back; they begin one after the other."""
    return await _watch(url, frames, viewers, seconds, smoothing, frames_per_s)


async def _watch(
    url: str, frames: Sequence[bytes], viewers: int, seconds: float, smoothing: float, frames_per_s: float | None
) -> Seen:
    seen = Seen(seconds, 0)
    begin = time.perf_counter() + _WARM_UP_S
    async with AsyncClient(url) as client:
        cameras = [
            _Camera(
                frames, begin, begin + seconds, seen, 0 if frames_per_s is None else number / viewers / frames_per_s
            )
            for number in range(viewers)
        ]
        await asyncio.gather(*(camera.run(client, smoothing, frames_per_s) for camera in cameras))
    return Seen(seconds, sum(camera.sent for camera in cameras), seen.glass_ms, seen.server_ms, seen.stages_ms)


class _Camera:
    def __init__(self, frames: Sequence[bytes], begin: float, end: float, seen: Seen, late_s: float) -> None:
        self.sent = 0
        self._frames = itertools.cycle(frames)
        self._begin = begin
        self._end = end
        self._seen = seen
        self._late_s = late_s
        self._sent_at: list[float] = []

    async def run(self, client: AsyncClient, smoothing: float, frames_per_s: float | None) -> None:
        async with client.live(smoothing=smoothing) as stream:
            if frames_per_s is None:
                for _ in range(IN_FLIGHT):
                    await self._send(stream)
                await self._receive(stream, answers=True)
            else:
                receiving = asyncio.create_task(self._receive(stream, answers=False))
                await self._film(stream, 1 / frames_per_s)
                receiving.cancel()  # what was sent last may not have come, and nothing follows it
                await asyncio.wait([receiving])

    async def _film(self, stream: AsyncLiveStream, every_s: float) -> None:
        due = time.perf_counter() + self._late_s
        while due < self._end:
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            await self._send(stream)
            due += every_s

    async def _send(self, stream: AsyncLiveStream) -> None:
        now = time.perf_counter()
        self._sent_at.append(now)
        self.sent += self._begin <= now < self._end
        await stream.send(next(self._frames))

    async def _receive(self, stream: AsyncLiveStream, answers: bool) -> None:
        while True:
            mask = await stream.receive()
            now = time.perf_counter()
            if now >= self._end:
                return
            if now >= self._begin:
                self._seen.glass_ms.append((now - self._sent_at[mask.frame]) * 1e3)
                self._seen.server_ms.append(mask.age_ms)
                self._seen.stages_ms.append(mask.timings_ms)
            if answers:
                await self._send(stream)
