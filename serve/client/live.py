"""A live stream for programs without asyncio."""

from collections.abc import Iterator
from contextlib import ExitStack
from types import TracebackType

from websockets.exceptions import ConnectionClosed, WebSocketException
from websockets.sync.client import connect

from serve.client.image import ImageSource
from serve.client.live_call import LiveCall, LiveMask, ended, frame_bytes, hello_from, mask_from, not_opened
from serve.client.problem import LiveEnded, NoAnswer

_LARGEST_MESSAGE = 2**28


class LiveStream:
    """Frames of a camera to class maps, over one connection; see `serve.client.Client.live`.

    One thread may send while another receives. Every method raises `LiveEnded` when the stream has ended.
    """

    def __init__(self, call: LiveCall, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._sent = 0
        self._open = ExitStack()
        try:
            opening = connect(
                call.url,
                subprotocols=call.subprotocols,
                compression=None,
                open_timeout=timeout_s,
                max_size=_LARGEST_MESSAGE,
            )
            self._socket = self._open.enter_context(opening)
        except (WebSocketException, OSError, TimeoutError) as error:
            not_opened(call, error)
        self.hello = hello_from(self._next())
        """Classes, palette and size of the masks."""

    def __enter__(self) -> "LiveStream":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __iter__(self) -> Iterator[LiveMask]:
        """The masks as they come, until the stream has ended."""
        while True:
            try:
                yield self.receive()
            except LiveEnded:
                return

    def send(self, image: ImageSource) -> int:
        """Send a frame and wait for nothing: its number. Of frames that come too fast only the newest is answered."""
        data = frame_bytes(image)
        try:
            self._socket.send(data)
        except ConnectionClosed as error:
            raise ended(error) from None
        self._sent += 1
        return self._sent - 1

    def receive(self) -> LiveMask:
        """The next mask.

        Raises:
            ServerProblem: a frame could not be answered; the stream goes on.
            NoAnswer: none came in time.
        """
        return mask_from(self._next())

    def segment(self, image: ImageSource) -> LiveMask:
        """Send a frame and wait for its mask; masks of frames sent before are passed over."""
        number = self.send(image)
        while (mask := self.receive()).frame < number:
            pass
        return mask

    def close(self) -> None:
        """End it."""
        self._open.close()

    def _next(self) -> str | bytes:
        try:
            return self._socket.recv(self._timeout_s)
        except TimeoutError:
            message = f"nothing came for {self._timeout_s:g} s: send a frame, or give the client a larger timeout"
            raise NoAnswer(message, reached=True, begun=True) from None
        except ConnectionClosed as error:
            raise ended(error) from None
