"""The pages that may open a WebSocket: a browser lets every page try, whomever it is from."""

from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException

_DEFAULT_PORTS = {"http": 80, "https": 443}


def check_origin(headers: Headers) -> None:
    """403 for a page that this server has not delivered: its ``Origin`` is not the ``Host`` that was asked.

    Programs send no ``Origin`` and may ask. A proxy in front must hand on ``Host`` as the browser sent it.
    """
    origin = headers.get("origin")
    if origin is None or _same_host(origin, headers.get("host", "")):
        return
    detail = f"a page of '{origin[:200]}' may not use this server: open the page of the server itself"
    raise HTTPException(403, detail)


def _same_host(origin: str, host: str) -> bool:
    try:
        page, server = urlsplit(origin), urlsplit(f"//{host}")
        default = _DEFAULT_PORTS[page.scheme]
        return page.hostname == server.hostname and (page.port or default) == (server.port or default)
    except (KeyError, ValueError):  # "null" of a file or a sandbox, or no address
        return False
