"""The client for asyncio."""

import asyncio
import os
from collections.abc import AsyncIterator
from types import TracebackType

import httpx

from serve.client.answer import Answer, answer_of, no_answer
from serve.client.async_live import AsyncLiveStream
from serve.client.call import (
    RAW,
    Call,
    Classes,
    Size,
    authorization,
    key_of,
    model_call,
    segment_call,
    server_address,
    timeout,
)
from serve.client.image import ImageSource, encode, load
from serve.client.live_call import live_call
from serve.client.problem import NoAnswer, ServerProblem
from serve.client.retries import Patience, Retries
from serve.client.segmentation import Segmentation, segmentation_of
from serve.client.served_model import ServedModel, served_model
from serve.client.video import FrameReader, VideoFrame, load_clip, video_call


class AsyncClient:
    """As `Client`, each method a coroutine: ``async with AsyncClient(url) as client``.

    Files are read, and pixels encoded, in a thread.
    """

    def __init__(
        self, url: str, api_key: str | None = None, *, timeout_s: float = 30.0, retries: Retries | None = None
    ) -> None:
        self.url = server_address(url)
        self._timeout_s = timeout_s
        self._retries = retries or Retries()
        self._models: dict[str | None, ServedModel] = {}
        self._key = key_of(api_key)
        self._http = httpx.AsyncClient(base_url=self.url, headers=authorization(self._key), limits=httpx.Limits())

    async def __aenter__(self) -> "AsyncClient":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def segment(
        self,
        image: ImageSource,
        *,
        model: str | None = None,
        size: Size = "source",
        classes: Classes | None = None,
        confidence: bool = False,
    ) -> Segmentation:
        """Segment an image; see `Client.segment`."""
        served = self._models.get(model) or await self.model(model)
        loaded = await asyncio.to_thread(load, image)
        body = await asyncio.to_thread(encode, loaded)
        call = segment_call(body, RAW, model=model, size=size, classes=classes, confidence=confidence)
        return segmentation_of(await self._ask(call), served, loaded)

    async def answer(
        self,
        image: ImageSource,
        media_type: str,
        *,
        overlay: bool = False,
        model: str | None = None,
        size: Size = "source",
        classes: Classes | None = None,
        confidence: bool = False,
    ) -> Answer:
        """The server's answer in ``media_type``, as it is; see `Client.answer`."""
        call = segment_call(
            await asyncio.to_thread(lambda: encode(load(image))),
            media_type,
            overlay=overlay,
            model=model,
            size=size,
            classes=classes,
            confidence=confidence,
        )
        return await self._ask(call)

    async def video(
        self,
        clip: str | os.PathLike[str] | bytes,
        *,
        model: str | None = None,
        size: Size = "source",
        classes: Classes | None = None,
        every: int = 1,
        smoothing: float = 0.0,
    ) -> AsyncIterator[VideoFrame]:
        """Segment a video: ``async for frame in client.video(clip)``; see `Client.video`."""
        served = self._models.get(model) or await self.model(model)
        body = await asyncio.to_thread(load_clip, clip)
        call = video_call(body, model=model, size=size, classes=classes, every=every, smoothing=smoothing)
        patience = Patience(self._retries)
        begun = False
        while not begun:
            try:
                async for frame in self._frames(call, served):
                    begun = True
                    yield frame
                return
            except (ServerProblem, NoAnswer) as failure:
                if begun:
                    raise
                await asyncio.sleep(patience.wait_s(failure))

    def live(
        self,
        *,
        model: str | None = None,
        size: Size = "network",
        classes: Classes | None = None,
        smoothing: float = 0.0,
    ) -> AsyncLiveStream:
        """Open a stream: ``async with client.live() as stream``; see `Client.live`."""
        call = live_call(self.url, self._key, model=model, size=size, classes=classes, smoothing=smoothing)
        return AsyncLiveStream(call, self._timeout_s)

    async def model(self, name: str | None = None) -> ServedModel:
        """Ask for a model's classes and palette; see `Client.model`."""
        self._models[name] = served_model(await self._ask(model_call(name)))
        return self._models[name]

    async def _ask(self, call: Call) -> Answer:
        patience = Patience(self._retries)
        while True:
            try:
                return await asyncio.wait_for(self._attempt(call), patience.left_s)
            except (ServerProblem, NoAnswer) as failure:
                await asyncio.sleep(patience.wait_s(failure))
            except asyncio.TimeoutError:
                raise patience.over() from None

    async def _frames(self, call: Call, served: ServedModel) -> AsyncIterator[VideoFrame]:
        begun = False
        try:
            async with self._http.stream(
                call.method,
                call.path,
                params=call.params,
                headers=call.headers,
                content=call.body,
                timeout=timeout(self._timeout_s),
            ) as response:
                begun = True
                if response.status_code != httpx.codes.OK:
                    answer_of(response, bytearray(await response.aread()))
                reader = FrameReader(response, served)
                async for piece in response.aiter_bytes():
                    for frame in reader.feed(piece):
                        yield frame
                reader.check_end(self.url)
        except httpx.RequestError as error:
            raise no_answer(self.url, error, begun) from None

    async def _attempt(self, call: Call) -> Answer:
        begun = False
        body = bytearray()
        try:
            async with self._http.stream(
                call.method,
                call.path,
                params=call.params,
                headers=call.headers,
                content=call.body or None,
                timeout=timeout(self._timeout_s),
            ) as response:
                begun = True
                async for piece in response.aiter_bytes():
                    body += piece
        except httpx.RequestError as error:
            raise no_answer(self.url, error, begun) from None
        return answer_of(response, body)
