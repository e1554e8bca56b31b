"""A small RTSP server (RFC 2326): MPEG-TS over RTP, within the connection, in real time."""

import io
import re
import socket
import struct
import threading
import time
from types import TracebackType

from tests.serve.video.clips import clip

_TS_PACKETS = 7 * 188  # bytes in one RTP packet
_MPEG_TS = 33  # its payload type, RFC 3551
_SDP = "\r\n".join(
    [
        "v=0",
        "o=- 0 0 IN IP4 127.0.0.1",
        "s=street",
        "c=IN IP4 0.0.0.0",
        "t=0 0",
        "m=video 0 RTP/AVP 33",
        "a=control:track",
        "",
    ]
)


class RtspServer:
    """Plays its video to whoever comes, and hangs up at its end. Counts the clients."""

    def __init__(self, frames: int = 25) -> None:
        self._video = clip(frames, (96, 128), "mpegts")
        self._seconds = frames / 25
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.clients = 0
        self.url = f"rtsp://user:secret@127.0.0.1:{self._listener.getsockname()[1]}/street"
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> "RtspServer":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._listener.close()

    def _serve(self) -> None:
        try:
            while True:
                connection, _ = self._listener.accept()
                self.clients += 1
                with connection:
                    self._converse(connection)
        except OSError:
            return

    def _converse(self, connection: socket.socket) -> None:
        requests = connection.makefile("rb")
        while (head := _head(requests)) is not None:
            method = head.split()[0]
            answer = {
                "OPTIONS": "Public: OPTIONS, DESCRIBE, SETUP, PLAY\r\n",
                "DESCRIBE": f"Content-Type: application/sdp\r\nContent-Length: {len(_SDP)}\r\n",
                "SETUP": "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\nSession: 1\r\n",
            }.get(method, "Session: 1\r\n")
            number = re.search(r"CSeq: (\d+)", head)
            assert number is not None
            body = _SDP if method == "DESCRIBE" else ""
            connection.sendall(f"RTSP/1.0 200 OK\r\nCSeq: {number[1]}\r\n{answer}\r\n{body}".encode())
            if method == "PLAY":
                self._play(connection)
                return

    def _play(self, connection: socket.socket) -> None:
        pieces = [self._video[start : start + _TS_PACKETS] for start in range(0, len(self._video), _TS_PACKETS)]
        for number, piece in enumerate(pieces):
            packet = struct.pack(">BBHII", 0x80, _MPEG_TS, number, number * 3600, 1) + piece
            connection.sendall(b"$\0" + struct.pack(">H", len(packet)) + packet)
            time.sleep(self._seconds / len(pieces))


def _head(requests: io.BufferedReader) -> str | None:
    lines = []
    while (line := requests.readline()) not in (b"\r\n", b""):
        lines.append(line.decode())
    return "".join(lines) or None
