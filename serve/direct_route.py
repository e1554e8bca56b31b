"""A path whose endpoint gets the request as it came."""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute


class DirectRoute(APIRoute):
    """FastAPI describes the endpoint by its parameters; the endpoint itself gets the bare request.

    Finding out parameters and dependencies anew for each request takes longer than all else that is done for it on the
    event loop.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        return self.endpoint
