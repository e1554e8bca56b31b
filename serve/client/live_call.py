"""What opens a live stream, and what its messages say; for both kinds of client."""

import base64
import json
from dataclasses import dataclass
from typing import NoReturn

import httpx
import numpy as np
import simplejpeg
from numpy.typing import NDArray
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Subprotocol

from serve.client.answer import answer_of
from serve.client.call import Classes, Size
from serve.client.image import ImageSource, load
from serve.client.problem import LiveEnded, NoAnswer, ServerProblem
from serve.live.message import KEY_PREFIX, SUBPROTOCOL, Hello, class_map_of, unpack

_JPEG_QUALITY = 90
_BROKEN = 1006  # RFC 6455: no close frame came


@dataclass(frozen=True)
class LiveMask:
    """The class map of one frame."""

    ids: NDArray[np.uint8]
    """``(H, W)``."""
    frame: int
    """Which one, counted from 0 in the order sent."""
    dropped: int
    """Frames so far that were sent too fast, and gave their place to newer ones."""
    age_ms: float
    """In the server, from the frame's last byte to this mask."""
    timings_ms: dict[str, float]
    """Of that, by stage."""
    shares: dict[str, float]
    """Of all pixels, 0..1, of each class that is present, by name, the largest first."""


@dataclass(frozen=True)
class LiveCall:
    """An opening handshake."""

    url: str
    subprotocols: list[Subprotocol]


def live_call(
    server: httpx.URL, api_key: str, *, model: str | None, size: Size, classes: Classes | None, smoothing: float
) -> LiveCall:
    """``/segment/live`` of a server."""
    params = {"size": size, "smoothing": f"{smoothing:g}"}
    if model is not None:
        params["model"] = model
    if classes is not None:
        params["classes"] = ",".join(map(str, classes))
    path = server.path.rstrip("/") + "/segment/live"
    url = server.copy_with(scheme=server.scheme.replace("http", "ws"), path=path, params=params)
    key = base64.urlsafe_b64encode(api_key.encode()).decode().rstrip("=")
    offered = [SUBPROTOCOL, KEY_PREFIX + key] if key else [SUBPROTOCOL]
    return LiveCall(str(url), [Subprotocol(name) for name in offered])


def frame_bytes(image: ImageSource) -> bytes:
    """What is sent: the bytes of a file as they are, pixels as JPEG; `UserError` as `serve.client.image.load`."""
    loaded = load(image)
    if isinstance(loaded, bytes):
        return loaded
    return bytes(simplejpeg.encode_jpeg(np.ascontiguousarray(loaded), quality=_JPEG_QUALITY, colorspace="RGB"))


def hello_from(message: str | bytes) -> Hello:
    """The first message; `ServerProblem` if it is something else."""
    try:
        return Hello.parse(message if isinstance(message, str) else message.decode())
    except ValueError:
        raise _no_such_server() from None


def mask_from(message: str | bytes) -> LiveMask:
    """Any other message.

    Raises:
        ServerProblem: the frame could not be answered; the stream goes on. Or the message is something else.
    """
    try:
        if isinstance(message, str):
            raise _problem(json.loads(message))
        header, payload = unpack(message)
        return LiveMask(
            ids=class_map_of(payload, header["height"], header["width"]),
            frame=header["frame"],
            dropped=header["dropped"],
            age_ms=header["age_ms"],
            timings_ms=header["times_ms"],
            shares=header["shares"],
        )
    except (ValueError, KeyError, TypeError):
        raise _no_such_server() from None


def not_opened(call: LiveCall, error: Exception) -> NoReturn:
    """Raise what an error of the handshake means: `ServerProblem`, or `NoAnswer`."""
    if isinstance(error, InvalidStatus):
        response, request = error.response, httpx.Request("GET", call.url)
        headers = list(response.headers.raw_items())
        answer = httpx.Response(response.status_code, headers=headers, request=request)
        answer_of(answer, bytearray(response.body))
    reason = str(error) or type(error).__name__
    message = f"{call.url}: no live stream ({reason}): is `python -m serve` running there?"
    raise NoAnswer(message, reached=False, begun=False)


def ended(error: ConnectionClosed) -> LiveEnded:
    """What the end of a stream says."""
    close = error.rcvd
    return LiveEnded(close.code, close.reason) if close else LiveEnded(_BROKEN, "the connection broke")


def _problem(content: dict[str, object]) -> ServerProblem:
    request_id = content.get("request_id")
    return ServerProblem(
        int(str(content["status"])),
        str(content["kind"]),
        f"frame {content['frame']}: {content['detail']}",
        None if request_id is None else str(request_id),
    )


def _no_such_server() -> ServerProblem:
    return ServerProblem(101, "about:blank", "the messages are no live stream's: is this a server of segdistill?", None)
