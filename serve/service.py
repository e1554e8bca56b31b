"""Admission, waiting and working: how requests share the machine."""

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor

from fastapi import HTTPException, Request

from serve.limits import Limits
from serve.pipeline import Encoded, Encoder, Pipeline
from serve.upload import read_upload

RETRY_AFTER_S = "1"


class Service:
    """One pipeline behind a bounded number of requests. Images are worked on in threads, never on the event loop."""

    def __init__(self, pipeline: Pipeline, limits: Limits) -> None:
        self.pipeline = pipeline
        self.limits = limits
        self.ready = False
        self._admitted = asyncio.Semaphore(limits.max_concurrency)
        self._working = asyncio.Semaphore(limits.workers)
        self._threads = ThreadPoolExecutor(limits.workers, thread_name_prefix="segment")

    async def warm_up(self) -> None:
        """One inference; from then on the service is ready."""
        await asyncio.get_running_loop().run_in_executor(self._threads, self.pipeline.warm_up)
        self.ready = True

    async def segment(self, request: Request, encoder: Encoder) -> Encoded:
        """Read, segment and encode the image of a request.

        Raises:
            HTTPException: 503 not ready or full; what `serve.upload.read_upload` raises.
            train.data.image.ImageError: the upload is no image, or one too large.
        """
        if not self.ready:
            raise _unavailable("the model is warming up")
        if self._admitted.locked():
            raise _unavailable(f"{self.limits.max_concurrency} requests are being worked on, the limit")
        async with self._admitted:
            data = await read_upload(request, self.limits)
            return await self._work(request, data, encoder)

    async def _work(self, request: Request, data: bytes, encoder: Encoder) -> Encoded:
        start = time.perf_counter()
        async with self._working:
            queue_ms = (time.perf_counter() - start) * 1e3
            if await request.is_disconnected():
                raise HTTPException(499, "the client went away")
            loop = asyncio.get_running_loop()
            encoded = await loop.run_in_executor(self._threads, self.pipeline.answer, data, encoder)
        encoded.times["queue"] = queue_ms
        return encoded

    def close(self) -> None:
        """End the worker threads, when their work is done."""
        self._threads.shutdown()


def _unavailable(reason: str) -> HTTPException:
    return HTTPException(503, f"{reason}: try again", headers={"Retry-After": RETRY_AFTER_S})
