"""An answer on its way to a client that may read slowly, or not at all."""

from fastapi import Response
from starlette.types import Receive, Scope, Send

from serve.admission import Admission

_PIECE = 1 << 16  # bytes; the next one is handed on when the client has read most of the last


class Sending(Response):
    """A response sent in pieces, as fast as the client reads, and counted as unsent until the last."""

    def __init__(
        self, admission: Admission, body: bytes, status: int, media_type: str, headers: dict[str, str]
    ) -> None:
        super().__init__(body, status, headers, media_type)
        self._admission = admission

    async def __call__(self, _: Scope, __: Receive, send: Send) -> None:
        size = len(self.body)
        with self._admission.unsent(size):
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            for start in range(0, size, _PIECE):
                piece = bytes(self.body[start : start + _PIECE])
                await send({"type": "http.response.body", "body": piece, "more_body": start + _PIECE < size})
