"""The client for programs without asyncio."""

import os
import time
import weakref
from collections.abc import Iterator
from types import TracebackType

import httpx

from serve.client.answer import Answer, answer_of, no_answer
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
from serve.client.live import LiveStream
from serve.client.live_call import live_call
from serve.client.problem import NoAnswer, ServerProblem
from serve.client.retries import Patience, Retries
from serve.client.segmentation import Segmentation, segmentation_of
from serve.client.served_model import ServedModel, served_model
from serve.client.video import FrameReader, VideoFrame, load_clip, video_call

_PIECE = 2**18  # bytes sent between two looks at the clock


class Client:
    """A server, and connections to it that stay open; threads may share it.

    Args:
        url: of the server, e.g. ``http://127.0.0.1:8000``.
        api_key: for a server that asks for one; None: the environment's ``SEGDISTILL_API_KEY``, if there is one.
        timeout_s: the longest silence within an attempt, in seconds.
        retries: what bounds all attempts of a request together.

    Every method raises `ServerProblem` where the server refuses, `NoAnswer` where none comes or not all of it, and
    `UserError`, which is the base of both, for input that is not worth sending.
    """

    def __init__(
        self, url: str, api_key: str | None = None, *, timeout_s: float = 30.0, retries: Retries | None = None
    ) -> None:
        self.url = server_address(url)
        self._timeout_s = timeout_s
        self._retries = retries or Retries()
        self._models: dict[str | None, ServedModel] = {}
        self._key = key_of(api_key)
        self._http = httpx.Client(base_url=self.url, headers=authorization(self._key), limits=httpx.Limits())
        self._close = weakref.finalize(self, self._http.close)  # for Client(url).segment(image), which nobody closes

    def __enter__(self) -> "Client":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._close()

    def segment(
        self,
        image: ImageSource,
        *,
        model: str | None = None,
        size: Size = "source",
        classes: Classes | None = None,
        confidence: bool = False,
    ) -> Segmentation:
        """Segment an image.

        Args:
            image: a path, the bytes of a JPEG, PNG, WebP or BMP, or RGB pixels uint8 ``(H, W, 3)``.
            model: one of the server's; None: its first.
            size: of the class map: ``source``, the image's own, or ``network``.
            classes: only these, by name or id; all other pixels have the model's ``ignore_index``.
            confidence: also how sure the network is, where the model tells.
        """
        served = self._models.get(model) or self.model(model)
        loaded = load(image)
        call = segment_call(encode(loaded), RAW, model=model, size=size, classes=classes, confidence=confidence)
        return segmentation_of(self._ask(call), served, loaded)

    def answer(
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
        """The server's answer in ``media_type``, as it is: for files, or with ``overlay`` for a picture to show."""
        call = segment_call(
            encode(load(image)),
            media_type,
            overlay=overlay,
            model=model,
            size=size,
            classes=classes,
            confidence=confidence,
        )
        return self._ask(call)

    def video(
        self,
        clip: str | os.PathLike[str] | bytes,
        *,
        model: str | None = None,
        size: Size = "source",
        classes: Classes | None = None,
        every: int = 1,
        smoothing: float = 0.0,
    ) -> Iterator[VideoFrame]:
        """Segment a video on the server; its frames come while it is worked on.

        Args:
            clip: a path, or the bytes of an MP4, MOV, WebM, Matroska, AVI or MPEG-TS file.
            model: one of the server's; None: its first.
            size: of the class maps: ``source``, the video's own, or ``network``.
            classes: only these, by name or id; all other pixels have the model's ``ignore_index``.
            every: each n-th frame.
            smoothing: against flicker, 0 (off) to 1.

        Raises:
            ServerProblem, NoAnswer: also after some frames. Then nothing is sent again.
        """
        served = self._models.get(model) or self.model(model)
        call = video_call(load_clip(clip), model=model, size=size, classes=classes, every=every, smoothing=smoothing)
        patience = Patience(self._retries)
        begun = False
        while not begun:
            try:
                for frame in self._frames(call, served):
                    begun = True
                    yield frame
                return
            except (ServerProblem, NoAnswer) as failure:
                if begun:
                    raise
                time.sleep(patience.wait_s(failure))

    def live(
        self,
        *,
        model: str | None = None,
        size: Size = "network",
        classes: Classes | None = None,
        smoothing: float = 0.0,
    ) -> LiveStream:
        """Open a stream for the frames of a camera: ``with client.live() as stream``, ``stream.segment(frame)``.

        Args:
            model: one of the server's; None: its first.
            size: of the class maps: ``network``, or ``source``, the frame's own.
            classes: only these, by name or id; all other pixels have the model's ``ignore_index``.
            smoothing: against flicker, 0 (off) to 1.
        """
        call = live_call(self.url, self._key, model=model, size=size, classes=classes, smoothing=smoothing)
        return LiveStream(call, self._timeout_s)

    def model(self, name: str | None = None) -> ServedModel:
        """Ask for a model's classes and palette; None: of the first. `segment` does so once for each name."""
        self._models[name] = served_model(self._ask(model_call(name)))
        return self._models[name]

    def _ask(self, call: Call) -> Answer:
        patience = Patience(self._retries)
        while True:
            try:
                return self._attempt(call, patience)
            except (ServerProblem, NoAnswer) as failure:
                time.sleep(patience.wait_s(failure))

    def _frames(self, call: Call, served: ServedModel) -> Iterator[VideoFrame]:
        begun = False
        try:
            with self._http.stream(
                call.method,
                call.path,
                params=call.params,
                headers=call.headers,
                content=call.body,
                timeout=timeout(self._timeout_s),
            ) as response:
                begun = True
                if response.status_code != httpx.codes.OK:
                    answer_of(response, bytearray(response.read()))
                reader = FrameReader(response, served)
                for piece in response.iter_bytes():
                    yield from reader.feed(piece)
                reader.check_end(self.url)
        except httpx.RequestError as error:
            raise no_answer(self.url, error, begun) from None

    def _attempt(self, call: Call, patience: Patience) -> Answer:
        begun = False
        body = bytearray()
        content = _pieces(call.body, patience) if call.body else None
        try:
            with self._http.stream(
                call.method,
                call.path,
                params=call.params,
                headers=call.headers,
                content=content,
                timeout=timeout(min(self._timeout_s, patience.left_s)),
            ) as response:
                begun = True
                for piece in response.iter_bytes():
                    body += piece
                    patience.check()
        except httpx.RequestError as error:
            raise no_answer(self.url, error, begun) from None
        return answer_of(response, body)


def _pieces(body: bytes, patience: Patience) -> Iterator[bytes]:
    for start in range(0, len(body), _PIECE):
        patience.check()
        yield body[start : start + _PIECE]
