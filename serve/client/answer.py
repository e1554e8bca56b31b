"""An answer as it came over the wire, or the problem in its place."""

import email.utils
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass

import httpx

from serve.client.problem import NoAnswer, ServerProblem
from serve.timing import parse_server_timing

_NOTES = "Segdistill-Notes"
_REQUEST_ID = "X-Request-ID"


@dataclass(frozen=True)
class Answer:
    """A successful answer."""

    body: bytearray
    media_type: str
    headers: Mapping[str, str]

    @property
    def request_id(self) -> str | None:
        """Names the request in the server's log too."""
        return self.headers.get(_REQUEST_ID)

    @property
    def notes(self) -> list[str]:
        """What had to be done to the image, e.g. 'converted from greyscale'."""
        return self.headers[_NOTES].split("; ") if _NOTES in self.headers else []

    @property
    def timings_ms(self) -> dict[str, float]:
        """Milliseconds in the server, by stage."""
        try:
            return dict(parse_server_timing(self.headers.get("Server-Timing", "")))
        except ValueError:  # a proxy on the way may add what it likes
            return {}


def answer_of(response: httpx.Response, body: bytearray) -> Answer:
    """What a response is.

    Raises:
        ServerProblem: any status but 200.
    """
    if response.status_code == httpx.codes.OK:
        media_type = response.headers.get("Content-Type", "").partition(";")[0]
        return Answer(body, media_type, response.headers)
    raise _problem(response, body)


def no_answer(url: httpx.URL, error: httpx.RequestError, begun: bool) -> NoAnswer:
    """What an error of the connection means. ``begun``: the head of an answer had come."""
    reason = str(error) or type(error).__name__
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
        message = f"{url}: no connection ({reason}): is `python -m serve` running there?"
        return NoAnswer(message, reached=False, begun=False)
    if begun:
        return NoAnswer(f"{url}: the answer broke off ({reason}): ask again", reached=True, begun=True)
    if isinstance(error, httpx.TimeoutException):
        message = f"{url}: nothing came for too long ({type(error).__name__}): give the client a larger timeout"
        return NoAnswer(message, reached=True, begun=True)
    lost = isinstance(error, httpx.NetworkError | httpx.RemoteProtocolError)
    return NoAnswer(f"{url}: the connection broke before an answer ({reason})", reached=True, begun=not lost)


def _problem(response: httpx.Response, body: bytearray) -> ServerProblem:
    try:
        content = json.loads(body)
    except ValueError:
        content = None
    problem = content if isinstance(content, dict) else {}
    detail = problem.get("detail") or f"{response.url}: {response.reason_phrase or 'no answer of segdistill'}"
    if response.is_redirect:
        detail = f"{response.url} is now at {response.headers['Location']}: give the client that address"
    return ServerProblem(
        response.status_code,
        str(problem.get("type", "about:blank")),
        " ".join(str(detail).split()),
        response.headers.get(_REQUEST_ID),
        _retry_after_s(response.headers.get("Retry-After")),
    )


def _retry_after_s(value: str | None) -> float | None:
    """Seconds, or a date (RFC 9110, section 10.2.3)."""
    if value is None:
        return None
    if value.strip().isdecimal():
        return float(value)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    except ValueError:
        return None
