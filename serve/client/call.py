"""What the client asks, before it goes over a connection."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

import httpx

from train.errors import UserError

API_KEY = "SEGDISTILL_API_KEY"
"""Environment variable with the key for a server that asks for one."""

RAW = "application/octet-stream"
"""The class map's bare bytes: what costs least to write and to read."""

Size: TypeAlias = Literal["source", "network"]
Classes: TypeAlias = Sequence[str | int]

_CONNECT_S = 5.0


@dataclass(frozen=True)
class Call:
    """One request, which may take several attempts."""

    method: str
    path: str
    params: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


def model_call(name: str | None) -> Call:
    """``GET /model``."""
    return Call("GET", "/model", {} if name is None else {"model": name}, {"Accept": "application/json"})


def segment_call(
    body: bytes,
    media_type: str,
    *,
    model: str | None,
    size: Size,
    classes: Classes | None,
    confidence: bool,
    overlay: bool = False,
) -> Call:
    """``POST /segment``."""
    params = {"size": size, "confidence": str(confidence).lower(), "overlay": str(overlay).lower()}
    if model is not None:
        params["model"] = model
    if classes is not None:
        params["classes"] = ",".join(map(str, classes))
    headers = {"Accept": media_type, "Content-Type": RAW, "Content-Length": str(len(body))}
    return Call("POST", "/segment", params, headers, body)


def timeout(seconds: float) -> httpx.Timeout:
    """The longest silence within an attempt. An address at which nobody is does not take all of it."""
    return httpx.Timeout(seconds, connect=min(seconds, _CONNECT_S))


def server_address(url: str) -> httpx.URL:
    """The base of every path.

    Raises:
        UserError: it is no address over HTTP.
    """
    try:
        address = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise UserError(f"'{url}' is no address ({error}): give one like http://127.0.0.1:8000") from None
    if address.scheme not in ("http", "https") or not address.host:
        raise UserError(f"'{url}' is no server's address: give one like http://127.0.0.1:8000")
    return address


def key_of(api_key: str | None) -> str:
    """``api_key``, or for None the key of the environment; empty where there is none.

    Raises:
        UserError: a key with characters that no header can hold.
    """
    key = os.environ.get(API_KEY, "") if api_key is None else api_key
    if not all("!" <= character <= "~" for character in key):
        raise UserError(f"the API key has blanks or characters beyond ASCII: see ${API_KEY}")
    return key


def authorization(key: str) -> dict[str, str]:
    """The header for a key; none for an empty one."""
    return {"X-API-Key": key} if key else {}
