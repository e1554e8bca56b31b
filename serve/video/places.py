"""How many videos are taken on, and how their bytes come in."""

from collections.abc import Iterator
from contextlib import contextmanager

from fastapi import HTTPException, Request

from serve.arrivals import Arrivals
from serve.form import FormError, parse_form
from serve.service import Service
from serve.upload import read_body

FIELD = "video"
"""Name of the form's file field."""

_FIELDS = 16
_PATIENCE = 4  # times a request's own limits: a video has some four times the bytes of the largest image
_HOW = f"send the bytes of a video, or a multipart form with the file field '{FIELD}' (curl -F {FIELD}=@drive.mp4)"
_ADVICE = "send a shorter or smaller video, or raise --max-video-bytes"


class Places:
    """The videos of a service, from their first byte to the last of their answers.

    They are counted apart from other requests: a video stays for minutes. A body that has been coming for
    ``upload_timeout_s`` gives its place to a video that needs it, and has four times as long where none does.
    """

    def __init__(self, service: Service) -> None:
        self._service = service
        self._taken = 0
        timeout_s = service.settings.upload_timeout_s
        self._arrivals = Arrivals(_PATIENCE * timeout_s, timeout_s)

    @contextmanager
    def place(self) -> Iterator[None]:
        """Around a video; `ProblemError` (503) if the server is not ready, or has as many as it takes."""
        service = self._service
        if service.unready is not None:
            raise service.admission.refusal("not-ready", service.unready)
        if self._taken >= service.settings.max_videos and not self._arrivals.displace():
            raise service.admission.refusal("overloaded", f"{self._taken} videos are being worked on, the limit")
        self._taken += 1
        try:
            yield
        finally:
            self._taken -= 1

    async def receive(self, request: Request) -> bytes:
        """The bytes of the video: the file field ``video`` of a multipart form, or the body itself.

        Raises:
            HTTPException: 413 too large (reading stops there), 400 empty or a damaged form, 408 too slow, 422 a form
                without such a file.
        """
        body = await self._arrivals.receive(read_body(request, self._service.settings.max_video_bytes, _ADVICE))
        content_type = request.headers.get("content-type", "")
        if content_type.lower().startswith("multipart/form-data"):
            body = await self._service.in_thread(lambda: _from_form(content_type, body))
        if not body:
            raise HTTPException(400, f"the video is empty (0 bytes): {_HOW}")
        return body


def _from_form(content_type: str, body: bytes) -> bytes:
    try:
        fields = parse_form(content_type, body, _FIELDS)
    except FormError as error:
        raise HTTPException(400, f"the multipart form is damaged ({error}): {_HOW}") from None
    videos = [field.data for field in fields if field.name == FIELD and field.filename is not None]
    if len(videos) != 1:
        have = ", ".join(f"'{field.name}'" for field in fields) or "none"
        raise HTTPException(422, f"the form has {len(videos)} files '{FIELD}' (its fields: {have}): {_HOW}")
    return bytes(videos[0])
