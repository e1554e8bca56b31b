"""Who may ask: API keys, by option."""

import base64
import hashlib
import hmac
import os
from pathlib import Path

from starlette.types import ASGIApp, Receive, Scope, Send

from serve.docs_page import DOCS
from serve.live.message import KEY_PREFIX
from serve.page import PAGE
from serve.problem import ProblemError, refuse
from train.errors import UserError

ENVIRONMENT = "SEGDISTILL_SERVE_API_KEYS"
"""Keys separated by spaces or commas. There is no option for them: a command line can be read by every user."""

OPEN_PATHS = frozenset({"/healthz", "/readyz"}) | PAGE.paths | DOCS.paths

_SHORTEST = 16


class ApiKey:
    """Middleware: 401 for whoever has no key, in ``Authorization: Bearer KEY`` or ``X-API-Key: KEY``.

    A WebSocket may bring it as a subprotocol, `KEY_PREFIX` and the key in base64url: browsers send no headers with one.

    `OPEN_PATHS` stay open: an orchestrator's probes, and the pages, which ask for the key themselves. Keys are kept and
    compared as digests, each with every one, so that the time taken tells neither a key's length nor how much of it
    was right.
    """

    def __init__(self, app: ASGIApp, keys: frozenset[str]) -> None:
        self._app = app
        self._digests = [_digest(key.encode()) for key in keys]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket") or scope["path"] in OPEN_PATHS or self._knows(_given(scope)):
            await self._app(scope, receive, send)
            return
        detail = "no API key, or a wrong one: send the header 'Authorization: Bearer KEY' or 'X-API-Key: KEY'"
        await refuse(scope, receive, send, ProblemError(401, "unauthorized", detail, {"WWW-Authenticate": "Bearer"}))

    def _knows(self, key: bytes) -> bool:
        digest = _digest(key)
        return sum(hmac.compare_digest(digest, known) for known in self._digests) > 0


def api_keys(file: Path | None) -> frozenset[str]:
    """The keys of a file, one a line, ``#`` begins a comment, and those of the environment; empty: none are asked for.

    Raises:
        UserError: the file cannot be read or has no key; a key is short (< 16 characters), or not visible ASCII.
    """
    keys = os.environ.get(ENVIRONMENT, "").replace(",", " ").split()
    if file is not None:
        in_file = _read(file)
        if not in_file:
            raise UserError(f"{file}: no API key in it: write one a line")
        keys += in_file
    for key in keys:
        if len(key) < _SHORTEST or not all("!" <= character <= "~" for character in key):
            raise UserError(f"an API key is shorter than {_SHORTEST} characters, or not visible ASCII: replace it")
    return frozenset(keys)


def _read(file: Path) -> list[str]:
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{file}: cannot read API keys from it ({error})") from None
    return [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]


def _given(scope: Scope) -> bytes:
    for name, value in scope["headers"]:
        if name == b"x-api-key":
            return bytes(value)
        if name == b"authorization" and value[:7].lower() == b"bearer ":
            return bytes(value[7:].strip())
    for subprotocol in scope.get("subprotocols", ()):
        if subprotocol.startswith(KEY_PREFIX):
            return _from_base64url(subprotocol.removeprefix(KEY_PREFIX))
    return b""


def _from_base64url(text: str) -> bytes:
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError:
        return b""


def _digest(key: bytes) -> bytes:
    return hashlib.sha256(key).digest()
