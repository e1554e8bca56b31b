"""What is segmented on this machine, seen from any browser: motion JPEG over HTTP."""

import contextlib
import threading
from collections.abc import Iterator
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import simplejpeg

from export.manifest import Manifest
from serve.answers.overlay import JPEG_QUALITY
from serve.video.conveyor import SegmentedFrame
from serve.video.form import VideoSummary
from serve.video.frames import BrokenFrame
from train.data.palette import overlay
from train.errors import UserError

MOST_VIEWERS = 8

_BOUNDARY = "frame"
_SILENCE_S = 10.0  # that a viewer may take for a frame


class Watch:
    """The newest frame with its classes' colours, for each viewer as fast as it takes them.

    It is drawn once, and only while somebody looks. A slow viewer gets fewer frames and holds up nobody.
    """

    def __init__(self, manifest: Manifest) -> None:
        self._palette = manifest.palette
        self._newest = threading.Condition()
        self._picture, self._number = b"", 0
        self._viewers = 0
        self._ended = False

    def write(self, result: SegmentedFrame | BrokenFrame) -> None:
        """A broken frame is left out."""
        if isinstance(result, BrokenFrame) or not self._viewers:
            return
        image = overlay(result.segmentation.image, result.segmentation.ids, self._palette)
        picture = bytes(simplejpeg.encode_jpeg(image, JPEG_QUALITY, colorspace="RGB", colorsubsampling="420"))
        with self._newest:
            self._picture, self._number = picture, self._number + 1
            self._newest.notify_all()

    def finish(self, _: VideoSummary) -> None:
        """Viewers are let go."""
        self.end()

    def end(self) -> None:
        """No more frames."""
        with self._newest:
            self._ended = True
            self._newest.notify_all()

    @contextlib.contextmanager
    def viewer(self) -> Iterator[bool]:
        """Around one viewer; false: there are too many."""
        with self._newest:
            taken = self._viewers < MOST_VIEWERS
            self._viewers += taken
        try:
            yield taken
        finally:
            with self._newest:
                self._viewers -= taken

    def pictures(self) -> Iterator[bytes]:
        """JPEGs, each newer than the one before, until the stream ends."""
        seen = self._number
        while True:
            with self._newest:
                while self._number == seen and not self._ended:
                    self._newest.wait()
                if self._ended:
                    return
                picture, seen = self._picture, self._number
            yield picture


@contextlib.contextmanager
def watched(address: str, manifest: Manifest) -> Iterator[tuple[Watch, str]]:
    """An output that is seen at ``HOST:PORT``, and its URL; port 0: a free one. `UserError` if it is not to be had."""
    host, separator, port = address.rpartition(":")
    if not separator or not port.isdigit():
        raise UserError(f"--watch {address}: give HOST:PORT, e.g. 127.0.0.1:8081, or 0.0.0.0:8081 for every network")
    watch = Watch(manifest)
    try:
        server = ThreadingHTTPServer((host, int(port)), _handler(watch))
    except (OSError, OverflowError) as error:
        raise UserError(f"--watch {address}: cannot listen there ({error}): choose another address or port") from None
    thread = threading.Thread(target=server.serve_forever, name="watch")
    thread.start()
    try:
        yield watch, f"http://{host}:{server.server_address[1]}"
    finally:
        watch.end()
        server.shutdown()
        thread.join()
        server.server_close()


def _handler(watch: Watch) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = _SILENCE_S

        def do_GET(self) -> None:
            if self.path != "/":
                self.send_error(HTTPStatus.NOT_FOUND, "the stream is at /")
                return
            with watch.viewer() as taken, contextlib.suppress(OSError):  # who leaves, leaves
                if not taken:
                    self.send_error(HTTPStatus.SERVICE_UNAVAILABLE, f"{MOST_VIEWERS} are watching, the limit")
                    return
                self.send_response(HTTPStatus.OK)
                self.send_header("Content-Type", f"multipart/x-mixed-replace; boundary={_BOUNDARY}")
                self.send_header("Cache-Control", "no-store")
                self.end_headers()
                for picture in watch.pictures():
                    head = f"--{_BOUNDARY}\r\nContent-Type: image/jpeg\r\nContent-Length: {len(picture)}\r\n\r\n"
                    self.wfile.write(head.encode() + picture + b"\r\n")

        def log_message(self, format: str, *arguments: object) -> None:
            """The progress line is enough."""

    return Handler
