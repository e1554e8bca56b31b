"""One viewer: frames in, masks out, the newest frame first."""

import asyncio
import json
import time
from dataclasses import dataclass

from starlette.websockets import WebSocket, WebSocketDisconnect

from serve.answers.png import encode_png
from serve.engines.protocol import DeviceError, NotNow
from serve.live.message import Form, Hello, Runs, pack
from serve.live.newest import Newest
from serve.models import Model
from serve.pipeline import Order, Pipeline, Prepared
from serve.problem import problem_of
from serve.request_id import request_id_of
from serve.service import Service
from serve.smoothing import Smoothing
from serve.ticket import Dropped, Ticket
from train.errors import UserError

MOST_BAD = 10
"""Frames in a row that could not be answered, until the connection is closed."""


class Closing(Exception):
    """The server has a reason to end the connection."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


@dataclass(frozen=True)
class Frame:
    """A message of the client."""

    number: int
    data: bytes
    since: float
    """When its last byte had come, by `time.perf_counter`."""


@dataclass(frozen=True)
class Asked:
    """What the masks of one viewer are to be."""

    model: str
    order: Order
    form: Form
    smoothing: float


def hello_of(model: Model, asked: Asked) -> Hello:
    """What the viewer is told first, and what a new version of the model must not change."""
    manifest = model.manifest
    return Hello(
        model=model.name,
        classes=manifest.classes,
        palette=manifest.palette,
        ignore_index=manifest.ignore_index,
        height=manifest.input.height,
        width=manifest.input.width,
        form=asked.form,
        smoothing=asked.smoothing,
    )


class Stream:
    """Answers one connection that is open.

    At most one frame is in the network; the next one is decoded meanwhile; one waits, and gives its place to a newer.
    """

    def __init__(self, service: Service, socket: WebSocket, asked: Asked, hello: Hello) -> None:
        self._service = service
        self._socket = socket
        self._asked = asked
        self._hello = hello
        self._smoothing = Smoothing(asked.smoothing) if asked.smoothing else None
        self._newest: Newest[Frame] = Newest()
        self._ticket = Ticket(service.settings.deadline_s)
        self._bad = 0
        self.answered = 0
        self.failed = 0

    @property
    def superseded(self) -> int:
        """Frames whose place a newer one took."""
        return self._newest.superseded

    async def run(self) -> None:
        """Until one side ends it.

        Raises:
            Closing: the server does, for this reason.
            WebSocketDisconnect: the client has.
        """
        tasks = [asyncio.create_task(work) for work in (self._receive(), self._answer())]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            self._ticket.cancel()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _receive(self) -> None:
        idle_s, number = self._service.settings.live_idle_s, 0
        while True:
            try:
                message = await asyncio.wait_for(self._socket.receive(), idle_s)
            except asyncio.TimeoutError:
                raise Closing(1000, f"no frame for {idle_s:g} s") from None
            if message["type"] == "websocket.disconnect":
                raise WebSocketDisconnect(message["code"], message.get("reason"))
            data = message.get("bytes")
            if data is None:
                raise Closing(1003, "text received: send each frame as one binary message, a JPEG, PNG, WebP or BMP")
            self._newest.put(Frame(number, data, time.perf_counter()))
            number += 1

    async def _answer(self) -> None:
        coming = asyncio.create_task(self._read_newest())
        try:
            while True:
                frame, prepared = await coming
                coming = asyncio.create_task(self._read_newest())
                message = prepared if isinstance(prepared, Exception) else await self._segment(frame, prepared)
                await self._send(frame, message)
        finally:
            coming.cancel()

    async def _read_newest(self) -> tuple[Frame, Prepared | Exception]:
        """The next frame, decoded while the network is at the one before."""
        frame = await self._newest.take()
        pipeline, max_pixels = self._current().pipeline, self._service.settings.max_pixels
        return frame, await self._service.in_live_thread(lambda: _read(pipeline, frame.data, max_pixels))

    async def _segment(self, frame: Frame, prepared: Prepared) -> bytes | Exception:
        deadline_s = self._service.settings.deadline_s
        self._ticket = Ticket(deadline_s)
        try:
            with self._service.models.use(self._asked.model) as model:  # a thread may retire it at any moment
                self._check_unchanged(model)
                work = self._service.on_frame(model, lambda: self._message(model, frame, prepared))
                return await asyncio.wait_for(work, deadline_s)
        except (Dropped, asyncio.TimeoutError):
            raise Closing(1013, f"overloaded: no mask within {deadline_s:g} s") from None
        except DeviceError as error:
            raise Closing(1011, str(error)) from None
        except (NotNow, MemoryError) as error:
            raise Closing(1013, f"overloaded: {str(error) or 'there is no memory left'}") from None

    def _current(self) -> Model:
        """The model as it is now."""
        model = self._service.models[self._asked.model]
        self._check_unchanged(model)
        return model

    def _check_unchanged(self, model: Model) -> None:
        """A new version that the viewer was told nothing of ends the connection."""
        if hello_of(model, self._asked) != self._hello:
            raise Closing(1012, "the model has changed: connect again")

    def _message(self, model: Model, frame: Frame, prepared: Prepared) -> bytes:
        """In a thread: a frame's mask as it is sent."""
        segmentation = model.pipeline.segment(prepared, self._asked.order, self._ticket, self._smoothing)
        times = segmentation.times
        with times.measure("encode"):
            runs = Runs.of(segmentation.ids)
            rle = self._asked.form == "rle"
            payload = runs.payload() if rle else encode_png(segmentation, model.manifest, self._asked.order.options)[0]
        height, width = segmentation.ids.shape
        age_ms = (time.perf_counter() - frame.since) * 1e3
        times["queue"] = max(0.0, age_ms - sum(times.values()) + times["queue"])
        self._service.metrics.live_frame(model.name, times)
        header = {"frame": frame.number, "dropped": self.superseded, "height": height, "width": width}
        header |= {"runs": runs.ids.size} if rle else {}
        header["times_ms"] = {stage: round(ms, 3) for stage, ms in times.items()}
        header |= {"age_ms": round(age_ms, 3), "shares": runs.shares(self._hello.classes)}
        return pack(header, payload)

    async def _send(self, frame: Frame, message: bytes | Exception) -> None:
        if isinstance(message, bytes):
            self._bad = 0
            with self._service.admission.unsent(len(message)):
                await self._socket.send_bytes(message)
            self.answered += 1
            return
        problem = problem_of(message, request_id_of(self._socket.scope)).model_dump(exclude_none=True)
        told = {**problem, "type": "problem", "kind": problem["type"], "frame": frame.number}
        await self._socket.send_text(json.dumps(told, separators=(",", ":")))
        self.failed += 1
        self._bad += 1
        if self._bad == MOST_BAD:
            raise Closing(1008, f"{MOST_BAD} bad frames in a row, the last: {problem['detail']}")


def _read(pipeline: Pipeline, data: bytes, max_pixels: int) -> Prepared | Exception:
    """In a thread: the frame, or what is wrong with it."""
    try:
        return pipeline.read(data, max_pixels)
    except UserError as error:
        return error
