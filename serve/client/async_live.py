"""A live stream for asyncio."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from types import TracebackType

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, WebSocketException

from serve.client.image import ImageSource
from serve.client.live_call import LiveCall, LiveMask, ended, frame_bytes, hello_from, mask_from, not_opened
from serve.client.problem import LiveEnded, NoAnswer
from serve.live.message import Hello

_LARGEST_MESSAGE = 2**28


class AsyncLiveStream:
    """As `LiveStream`, each method a coroutine; it is opened by ``async with``."""

    hello: Hello
    """Classes, palette and size of the masks."""

    def __init__(self, call: LiveCall, timeout_s: float) -> None:
        self._call = call
        self._timeout_s = timeout_s
        self._sent = 0
        self._open = AsyncExitStack()
        self._socket: ClientConnection

    async def __aenter__(self) -> "AsyncLiveStream":
        opening = connect(
            self._call.url,
            subprotocols=self._call.subprotocols,
            compression=None,
            open_timeout=self._timeout_s,
            max_size=_LARGEST_MESSAGE,
        )
        try:
            self._socket = await self._open.enter_async_context(opening)
        except (WebSocketException, OSError, asyncio.TimeoutError) as error:
            not_opened(self._call, error)
        self.hello = hello_from(await self._next())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def __aiter__(self) -> AsyncIterator[LiveMask]:
        """The masks as they come, until the stream has ended."""
        while True:
            try:
                yield await self.receive()
            except LiveEnded:
                return

    async def send(self, image: ImageSource) -> int:
        """Send a frame; see `LiveStream.send`."""
        data = image if isinstance(image, bytes) else await asyncio.to_thread(frame_bytes, image)
        try:
            await self._socket.send(data)
        except ConnectionClosed as error:
            raise ended(error) from None
        self._sent += 1
        return self._sent - 1

    async def receive(self) -> LiveMask:
        """The next mask; see `LiveStream.receive`."""
        return mask_from(await self._next())

    async def segment(self, image: ImageSource) -> LiveMask:
        """Send a frame and wait for its mask; see `LiveStream.segment`."""
        number = await self.send(image)
        while (mask := await self.receive()).frame < number:
            pass
        return mask

    async def close(self) -> None:
        """End it."""
        await self._open.aclose()

    async def _next(self) -> str | bytes:
        try:
            return await asyncio.wait_for(self._socket.recv(), self._timeout_s)
        except asyncio.TimeoutError:
            message = f"nothing came for {self._timeout_s:g} s: send a frame, or give the client a larger timeout"
            raise NoAnswer(message, reached=True, begun=True) from None
        except ConnectionClosed as error:
            raise ended(error) from None
