"""How often one client may ask: a token bucket for each address, by option."""

import ipaddress
import math
import time
from collections import OrderedDict
from collections.abc import Callable

from starlette.types import ASGIApp, Receive, Scope, Send

from serve.api_key import OPEN_PATHS
from serve.problem import ProblemError, refuse

_MOST_CLIENTS = 10_000  # some 3 MB


class RateLimit:
    """Middleware: 429 with Retry-After for an address that asks more than ``per_second``, after ``burst`` at once.

    Bounds are of this process. The longest silent of 10 000 addresses is forgotten for a new one. An IPv6 client is its
    /64 network, since it can take any address in it. The health checks are not counted, and of a live viewer only the
    opening.
    """

    def __init__(
        self,
        app: ASGIApp,
        per_second: float,
        burst: int,
        clock: Callable[[], float] = time.monotonic,
        refused: Callable[[str], None] | None = None,
    ) -> None:
        self._app = app
        self._per_second = per_second
        self._burst = burst
        self._clock = clock
        self._refused = refused
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()  # tokens left, at which time

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket") or scope["path"] in OPEN_PATHS:
            await self._app(scope, receive, send)
            return
        wait_s = self.take(_network(scope))
        if not wait_s:
            await self._app(scope, receive, send)
            return
        if self._refused is not None:
            self._refused("rate-limited")
        detail = f"more than {self._per_second:g} requests a second of one client: the next one in {wait_s:.2f} s"
        headers = {"Retry-After": str(math.ceil(wait_s))}
        await refuse(scope, receive, send, ProblemError(429, "rate-limited", detail, headers))

    def take(self, client: str) -> float:
        """Take a token of a client: 0, or the seconds until there is one."""
        now = self._clock()
        tokens, then = self._buckets.pop(client, (float(self._burst), now))
        tokens = min(self._burst, tokens + (now - then) * self._per_second)
        taken = tokens >= 1
        self._buckets[client] = tokens - taken, now
        if len(self._buckets) > _MOST_CLIENTS:
            self._buckets.popitem(last=False)
        return 0.0 if taken else (1 - tokens) / self._per_second


def _network(scope: Scope) -> str:
    host = (scope.get("client") or ("",))[0]
    if ":" not in host:
        return host
    try:
        address = ipaddress.IPv6Address(host)
    except ValueError:
        return host
    return str(address.ipv4_mapped or ipaddress.IPv6Network((address, 64), strict=False))
