"""What one WebSocket may cost: time to close, pongs that nobody reads, pieces of a message."""

import logging
from typing import Any

from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame

_ENDING = 1001, "the server ends: connect again"
_LINGER_S = 1.0  # for a client to read why, before what it still sends resets the connection
_MOST_PIECES = 1024  # of one message; each costs memory, and an empty one none of the bytes that are bounded

_log = logging.getLogger("uvicorn.websocket")
_log.setLevel(logging.WARNING)  # the access log has a line for each connection


class LiveConnection(WebSocketsSansIOProtocol):
    """uvicorn's WebSocket, bounded: whatever ends it, it is gone a second later, whether the client reads or not.

    Reading stops while a message waits to be taken. How large one may be, and how often a ping must be answered, are
    settings of uvicorn.
    """

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self.logger = self.conn.logger = _log

    def shutdown(self) -> None:
        """The server ends; uvicorn's own would say 1012, and wait for clients that do not read."""
        if not self.handshake_complete:
            super().shutdown()
        elif not self.close_sent:
            code, reason = _ENDING
            self.conn.send_close(code, reason)
            self._end(code, reason)

    def handle_ping(self) -> None:
        """Answer, unless answers pile up: only the last of several pings needs its pong (RFC 6455, section 5.5.3)."""
        pong = b"".join(self.conn.data_to_send())
        if self.writable.is_set():
            self.transport.write(pong)

    def handle_cont(self, event: Frame) -> None:
        if len(self.frames) < _MOST_PIECES:
            super().handle_cont(event)
        elif not self.close_sent:
            reason = f"a message of more than {_MOST_PIECES} pieces"
            self.conn.fail(1009, reason)
            self._end(1009, reason)

    def handle_parser_exception(self) -> None:
        """No WebSocket, or too large. uvicorn's own closes at once, which resets what the client has to read."""
        if not self.close_sent and self.conn.close_sent is not None:
            self._end(self.conn.close_sent.code, self.conn.close_sent.reason)

    def handle_close(self, event: Frame) -> None:
        super().handle_close(event)
        self._abort_later()

    def keepalive_timeout(self) -> None:
        super().keepalive_timeout()
        self._abort_later()

    async def send(self, message: Any) -> None:
        if self.close_sent:  # by this connection, while the answer was made
            raise ClientDisconnected
        closes = message["type"] == "websocket.close" and self.handshake_complete
        if closes and not self.writable.is_set():  # it would wait behind what is not read
            self.transport.abort()
            return
        await super().send(message)
        if closes:
            self._abort_later()
        elif message["type"] == "websocket.http.response.body":  # a refusal; uvicorn goes on to miss a handshake
            self.handshake_complete = self.close_sent

    def _end(self, code: int, reason: str) -> None:
        """Hand out the close that was made, and throw away what still comes."""
        self.stop_keepalive()
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        self.frames = []
        if self.read_paused:
            self.read_paused = False
            self.transport.resume_reading()
        self._abort_later()

    def _abort_later(self) -> None:
        if self.close_timer is not None:
            self.close_timer.cancel()
        if not self.disconnected:
            self.close_timer = self.loop.call_later(_LINGER_S, self.transport.abort)
