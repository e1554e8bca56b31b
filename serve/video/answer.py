"""The answer to a video, which leaves while the video is worked on."""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack

from fastapi import HTTPException, Request, Response
from starlette.types import Receive, Scope, Send

from serve.access_log import record_of
from serve.engines.protocol import DeviceError, NotNow
from serve.problem import CLIENT_GONE, problem_of
from serve.request_id import request_id_of
from serve.service import Service
from serve.ticket import Dropped, Ticket
from serve.timing import StageTimes
from serve.video.conveyor import SegmentedFrame
from serve.video.errors import VideoError
from serve.video.form import Form, VideoSummary
from serve.video.frames import BrokenFrame

_log = logging.getLogger(__name__)


class BrokenOff(Exception):
    """The answer ends before its end, in a form that cannot say why."""


class Work:
    """One video's frames on their way to one client.

    Args:
        frames: as `serve.video.conveyor.Conveyor` gives them.
        ticket: cancelled when the client leaves; what the conveyor looks at.
    """

    def __init__(
        self,
        service: Service,
        request: Request,
        form: Form,
        frames: AsyncGenerator[SegmentedFrame | BrokenFrame, None],
        ticket: Ticket,
    ) -> None:
        self._service = service
        self._request = request
        self._form = form
        self._frames = frames
        self._ticket = ticket
        self._client_left = False
        self._count = self._broken = 0
        self._sums = StageTimes()
        self._error: Exception = VideoError("the video has no frame: give it whole")
        self._drained_since: float | None = None

    @property
    def times(self) -> StageTimes:
        """The mean of the frames that were segmented so far."""
        segmented = max(1, self._count - self._broken)
        return StageTimes({stage: ms / segmented for stage, ms in self._sums.items()})

    async def watch_client(self) -> None:
        """Give the work up when the client leaves; the body has been read."""
        while (await self._request.receive())["type"] != "http.disconnect":
            pass
        self._client_left = True
        self._ticket.cancel()

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        """The body of the answer. The first piece has the first frame that was segmented, and the problems before it.

        Raises:
            HTTPException, UserError: before the first piece, in place of an answer.
            BrokenOff: after it.
        """
        begun, held = False, list[bytes]()
        try:
            async for result in self._frames:
                self._check_end()
                held.append(await self._piece(result))
                if begun or isinstance(result, SegmentedFrame):
                    begun, piece = True, b"".join(held)
                    held.clear()
                    yield piece
            if not begun:
                raise self._error
            yield b"".join(held) + await self._written(lambda: self._form.end(self._summary()))
        except (Exception, asyncio.CancelledError) as error:
            failure = self._failure(error)
            if not begun:
                raise failure from None
            yield self._last_words(failure)

    async def _piece(self, result: SegmentedFrame | BrokenFrame) -> bytes:
        self._count += 1
        if isinstance(result, BrokenFrame):
            self._broken += 1
            self._error = result.error
            return self._form.broken(result, problem_of(result.error, request_id_of(self._request.scope)))
        times = result.segmentation.times
        start = time.perf_counter()
        piece = await self._written(lambda: self._form.segmented(result))
        times["encode"] = (time.perf_counter() - start) * 1e3
        for stage, ms in times.items():
            self._sums[stage] = self._sums.get(stage, 0.0) + ms
        return piece

    async def _written(self, write: Callable[[], bytes]) -> bytes:
        """What the form writes, in a thread; nobody closes the form under it."""
        writing = asyncio.ensure_future(self._service.in_thread(write))
        try:
            return await asyncio.shield(writing)
        except asyncio.CancelledError:
            await asyncio.wait((writing,))
            raise

    def _check_end(self) -> None:
        """`ProblemError` when the server is about to end and a request would have had its time by now."""
        if not self._service.draining:
            return
        now, settings = time.monotonic(), self._service.settings
        self._drained_since = self._drained_since or now
        if now - self._drained_since > settings.upload_timeout_s + settings.deadline_s:
            raise self._service.admission.refusal("not-ready", "the server ends, and this video takes too long for it")

    def _summary(self) -> VideoSummary:
        seconds = time.perf_counter() - self._ticket.since
        times = {stage: round(ms, 3) for stage, ms in self.times.items()}
        return VideoSummary(frames=self._count, broken=self._broken, seconds=round(seconds, 3), timings_ms=times)

    def _failure(self, error: BaseException) -> BaseException:
        """What an error is to the client."""
        admission = self._service.admission
        match error:
            case Dropped() if self._client_left:
                return HTTPException(CLIENT_GONE, "the client went away")
            case Dropped():
                limit_s = self._service.settings.video_deadline_s
                return admission.refusal("deadline-exceeded", f"the video was not done within {limit_s:g} s")
            case DeviceError():
                return admission.refusal("not-ready", str(error))
            case NotNow() | MemoryError():
                return admission.refusal("overloaded", str(error) or "there is no memory left")
        return error

    def _last_words(self, failure: BaseException) -> bytes:
        if not isinstance(failure, Exception):
            raise failure
        problem = problem_of(failure, request_id_of(self._request.scope))
        if problem.status == 500:
            _log.error("a video was broken off", exc_info=failure)
        else:
            _log.warning("a video was broken off after %d frames: %s", self._count, problem.detail)
        words = self._form.failed(problem)
        if words is None:
            raise BrokenOff
        return words


class VideoAnswer(Response):
    """Sends the pieces as they come; what the video holds is in ``stack``, and is let go at the end.

    After `BrokenOff` the connection is closed without the end of the body, which every client takes for an error.
    """

    def __init__(
        self, work: Work, first: bytes, pieces: AsyncGenerator[bytes, None], form: Form, stack: AsyncExitStack
    ) -> None:
        self._work = work
        self._first = first
        self._pieces = pieces
        self._stack = stack
        headers = {"Content-Type": form.media_type, "Vary": "Accept", "Server-Timing": work.times.header()}
        super().__init__(headers=headers)
        del self.headers["content-length"]

    async def __call__(self, scope: Scope, __: Receive, send: Send) -> None:
        async with self._stack:
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            try:
                await _send(send, self._first)
                async for piece in self._pieces:
                    await _send(send, piece)
                await send({"type": "http.response.body", "body": b"", "more_body": False})
            except BrokenOff:
                pass
            finally:
                record_of(scope).times = self._work.times


async def _send(send: Send, piece: bytes) -> None:
    if piece:
        await send({"type": "http.response.body", "body": piece, "more_body": True})
