"""A real HTTP server that answers as a test writes it, byte by byte; it keeps what it was asked, and when."""

import contextlib
import json
import socket
import socketserver
import threading
import time
from collections.abc import Callable, Iterator

Answer = bytes | Callable[[socket.socket], None]
"""What goes back before the connection is closed, or what does as it likes with the connection."""

CARD = {
    "name": "scripted",
    "verified": False,
    "manifest": {"classes": ["red", "green"], "palette": [[255, 0, 0], [0, 255, 0]], "ignore_index": 255},
}


def answer(status: int, body: bytes = b"", **headers: str) -> bytes:
    """A whole answer; ``retry_after="1"`` is a header."""
    lines = [f"HTTP/1.1 {status} {'OK' if status == 200 else 'Not OK'}", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return ("\r\n".join([*lines, "Connection: close"]) + "\r\n\r\n").encode() + body


GOOD = answer(200, json.dumps(CARD).encode())


class ScriptedServer(socketserver.ThreadingTCPServer):
    """Answers with one entry of the script after the other, with the last one for ever."""

    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False

    def __init__(self, *script: Answer) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.script = list(script)
        self.asked: list[bytes] = []
        self.times: list[float] = []
        self.url = f"http://127.0.0.1:{self.server_address[1]}"

    def next_answer(self, request: bytes) -> Answer:
        self.asked.append(request)
        self.times.append(time.monotonic())
        return self.script.pop(0) if len(self.script) > 1 else self.script[0]


class Handler(socketserver.BaseRequestHandler):
    """Reads one request to its end."""

    def handle(self) -> None:
        request = self._request()
        if not request:
            return
        scripted = self.server.next_answer(request)
        with contextlib.suppress(ConnectionError):  # a client that has given up
            self.request.sendall(scripted) if isinstance(scripted, bytes) else scripted(self.request)

    def _request(self) -> bytes:
        data = b""
        while b"\r\n\r\n" not in data:
            piece = self.request.recv(65536)
            if not piece:
                return b""
            data += piece
        head, _, body = data.partition(b"\r\n\r\n")
        length = next((int(line[15:]) for line in head.lower().split(b"\r\n") if line[:15] == b"content-length:"), 0)
        while len(body) < length:
            body += self.request.recv(65536)
        return head + b"\r\n\r\n" + body


@contextlib.contextmanager
def scripted(*script: Answer) -> Iterator[ScriptedServer]:
    """A server while the block lasts."""
    with ScriptedServer(*script) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,)).start()
        yield server
        server.shutdown()
