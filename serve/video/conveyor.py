"""The frames of a video on their way through the worker threads: one is decoded while others are in the network."""

import asyncio
import time
from collections import deque
from collections.abc import AsyncGenerator, Iterator
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass
from typing import Literal, TypeAlias

from serve.models import Model
from serve.pipeline import Order
from serve.segmentation import Segmentation
from serve.service import Service
from serve.smoothing import Smoothing
from serve.ticket import Ticket
from serve.timing import StageTimes
from serve.video.frames import BrokenFrame, Frame

Steps: TypeAlias = Iterator[Frame | BrokenFrame | None]
"""As `serve.video.frames.read_steps` gives them."""

_AHEAD = 2  # frames on their way while the one before is encoded


@dataclass(frozen=True)
class SegmentedFrame:
    """A frame and what the network says of it."""

    frame: Frame
    segmentation: Segmentation


@dataclass(frozen=True)
class Conveyor:
    """One video's frames, in order, as fast as they are taken and other requests leave room.

    Each stage of each frame queues for a worker thread of its own accord, so that a video takes turns with other
    requests; no more than three of its frames are in memory. With ``smoothing`` the network has one of them at a time.
    """

    service: Service
    model: Model
    order: Order
    ticket: Ticket
    smoothing: Smoothing | None = None

    async def run(self, steps: Steps) -> AsyncGenerator[SegmentedFrame | BrokenFrame, None]:
        """Each frame of ``steps`` with its segmentation, or what is wrong with it.

        At its end, and if it is closed early, no thread is at work on a frame any more.

        Raises:
            VideoError: as ``steps`` does.
            Dropped, DeviceError, NotNow, MemoryError: as `serve.service.Service.on_one_image` does.
        """
        decoding = asyncio.Lock()
        in_network = nullcontext() if self.smoothing is None else asyncio.Lock()
        on_their_way: deque[asyncio.Task[SegmentedFrame | BrokenFrame | None]] = deque()
        try:
            while True:
                while len(on_their_way) < _AHEAD:
                    on_their_way.append(asyncio.create_task(self._next(steps, decoding, in_network)))
                result = await asyncio.shield(on_their_way[0])  # a thread at work cannot be cancelled
                on_their_way.popleft()
                if result is None:
                    return
                yield result
        finally:
            self.ticket.cancel()
            await asyncio.gather(*on_their_way, return_exceptions=True)

    async def _next(
        self,
        steps: Steps,
        decoding: asyncio.Lock,
        in_network: AbstractAsyncContextManager[object],
    ) -> SegmentedFrame | BrokenFrame | None:
        """One more frame; None at the end. Locks are handed on in the order in which they were asked for."""
        async with decoding:
            frame, decode_ms = None, 0.0
            while frame is None:
                frame, ms = await self.service.in_thread(lambda: self._decode(steps))
                decode_ms += ms
        if isinstance(frame, BrokenFrame):
            return frame
        if not isinstance(frame, Frame):
            return None
        async with in_network:
            self.service.admission.join(1)
            since = time.perf_counter()
            outcome = await self.service.in_thread(lambda: self._segment(frame, decode_ms, since))
        if isinstance(outcome, Exception):
            return BrokenFrame(frame.number, frame.time_s, outcome)
        return SegmentedFrame(frame, outcome)

    def _decode(self, steps: Steps) -> tuple[Frame | BrokenFrame | Literal["end"] | None, float]:
        self.ticket.check()
        start = time.perf_counter()
        return next(steps, "end"), (time.perf_counter() - start) * 1e3

    def _segment(self, frame: Frame, decode_ms: float, since: float) -> Segmentation | Exception:
        waited_ms = (time.perf_counter() - since) * 1e3
        outcome = self.service.on_one_image(self.model, lambda: self._infer(frame, decode_ms))
        if isinstance(outcome, Segmentation):
            outcome.times["queue"] += waited_ms
        return outcome

    def _infer(self, frame: Frame, decode_ms: float) -> Segmentation:
        self.ticket.check()
        pipeline = self.model.pipeline
        with pipeline.batcher.coming():
            prepared = pipeline.prepare(frame.decoded, StageTimes(decode=decode_ms))
        return pipeline.segment(prepared, self.order, self.ticket, self.smoothing)
