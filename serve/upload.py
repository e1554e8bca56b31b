"""Read the one image of a request, no further than the limits."""

import asyncio
from collections.abc import AsyncGenerator

from fastapi import HTTPException, Request
from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from serve.limits import Limits

FIELD = "image"
"""Name of the form's file field."""

_HOW = f"send the bytes of an image, or a multipart form with the file field '{FIELD}' (curl -F {FIELD}=@street.jpg)"


async def read_upload(request: Request, limits: Limits) -> bytes:
    """The bytes of the image: the file field ``image`` of a multipart form, or the body itself.

    Raises:
        HTTPException: 408 too slow, 413 too large (reading stops there), 400 empty or a damaged form, 422 a form
            without that field.
    """
    try:
        return await asyncio.wait_for(_read(request, limits.max_upload_bytes), limits.upload_timeout_s)
    except asyncio.TimeoutError:
        seconds = limits.upload_timeout_s
        raise HTTPException(408, f"the body did not arrive within {seconds:g} s: send a smaller image") from None


async def _read(request: Request, max_bytes: int) -> bytes:
    _check_announced(request.headers.get("content-length"), max_bytes)
    stream = _bounded(request.stream(), max_bytes)
    if request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        data = await _read_form(request, stream, max_bytes)
    else:
        data = b"".join([chunk async for chunk in stream])
    if not data:
        raise HTTPException(400, f"the image is empty (0 bytes): {_HOW}")
    return data


def _check_announced(content_length: str | None, max_bytes: int) -> None:
    if content_length is not None and content_length.isdigit() and int(content_length) > max_bytes:
        raise _too_large(f"{content_length} bytes", max_bytes)


async def _bounded(stream: AsyncGenerator[bytes, None], max_bytes: int) -> AsyncGenerator[bytes, None]:
    received = 0
    async for chunk in stream:
        received += len(chunk)
        if received > max_bytes:
            raise _too_large(f"more than {max_bytes} bytes", max_bytes)
        yield chunk


def _too_large(size: str, max_bytes: int) -> HTTPException:
    return HTTPException(
        413, f"the body has {size}, the limit is {max_bytes}: send a smaller image or raise --max-upload-bytes"
    )


class _FormParser(MultiPartParser):
    """Keeps files in memory, where the body's limit bounds them, and knows whether the form came to its end."""

    def __init__(self, request: Request, stream: AsyncGenerator[bytes, None], max_bytes: int) -> None:
        super().__init__(request.headers, stream, max_files=1, max_fields=8)
        self.spool_max_size = max_bytes
        self.complete = False

    def on_end(self) -> None:
        self.complete = True


async def _read_form(request: Request, stream: AsyncGenerator[bytes, None], max_bytes: int) -> bytes:
    parser = _FormParser(request, stream, max_bytes)
    try:
        form = await parser.parse()
    except MultiPartException as error:
        raise HTTPException(400, f"the multipart form is damaged ({error.message.rstrip('.')}): {_HOW}") from None
    if not parser.complete:
        raise HTTPException(400, "the multipart form ends before its last boundary: send it again, whole")
    return await _image_field(form)


async def _image_field(form: FormData) -> bytes:
    file = form.get(FIELD)
    if not isinstance(file, UploadFile):
        have = ", ".join(f"'{name}'" for name in form) or "none"
        raise HTTPException(422, f"the form has no file field '{FIELD}' (its fields: {have}): {_HOW}")
    try:
        return await file.read()
    finally:
        await file.close()
