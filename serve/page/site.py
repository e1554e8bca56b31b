"""Serve a page's files: read once, sent from memory, with headers that let it run nothing but itself."""

import hashlib
import mimetypes
from dataclasses import dataclass
from pathlib import Path

from fastapi import FastAPI, Request, Response

FILES = Path(__file__).parent / "files"

_POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' blob:",
    "media-src": "blob:",
    "connect-src": "'self'",
    "base-uri": "'none'",
    "form-action": "'none'",
    "frame-ancestors": "'none'",
    "require-trusted-types-for": "'script'",
    "trusted-types": "'none'",
}

HEADERS = {
    "Content-Security-Policy": "; ".join(f"{directive} {sources}" for directive, sources in _POLICY.items()),
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=(), display-capture=(), payment=(), usb=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cache-Control": "no-cache",  # keep it, but ask whether it is still the one: a new server may have a new page
}

_TYPES = {".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8"}


@dataclass(frozen=True)
class _File:
    body: bytes
    media_type: str
    etag: str


def _read(path: Path) -> _File:
    body = path.read_bytes()
    media_type = _TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    return _File(body, media_type, f'"{hashlib.sha256(body).hexdigest()[:32]}"')


class Site:
    """A page and its files, none of which is secret: they need no key.

    Args:
        folder: of the files; ``index.html`` is the page itself.
        address: path of the page.
        below: what the paths of the other files begin with.
    """

    def __init__(self, folder: Path, address: str, below: str) -> None:
        files = (path for path in sorted(folder.iterdir()) if path.is_file())
        self._files = {address if path.name == "index.html" else below + path.name: _read(path) for path in files}
        self.paths = frozenset(self._files)
        """Where the page and what it consists of are found."""

    def add_to(self, app: FastAPI) -> None:
        """Give ``app`` the page and its files."""
        for path in self.paths:
            app.add_api_route(path, self._answer, methods=["GET", "HEAD"], include_in_schema=False)

    async def _answer(self, request: Request) -> Response:
        file = self._files[request.scope["path"]]
        headers = {**HEADERS, "ETag": file.etag}
        if file.etag in [tag.strip() for tag in request.headers.get("If-None-Match", "").split(",")]:
            return Response(status_code=304, headers=headers)
        return Response(file.body, headers=headers, media_type=file.media_type)


PAGE = Site(FILES, "/", "/page/")
