"""Read the images of a request, no further than the limits."""

from collections.abc import AsyncIterator

from fastapi import HTTPException, Request

from serve.form import FormError, parse_form
from serve.problem import ProblemError
from serve.settings import Limits

FIELD = "image"
"""Name of the form's file field; several images have several fields of this name."""

_OTHER_FIELDS = 16
_HOW = f"send the bytes of an image, or a multipart form with the file field '{FIELD}' (curl -F {FIELD}=@street.jpg)"


async def read_upload(request: Request, limits: Limits) -> list[bytes]:
    """The bytes of each image: the file fields ``image`` of a multipart form, or the body itself.

    Raises:
        HTTPException: 413 too large or too many (reading stops there), 400 empty or a damaged form, 422
            a form without such a file.
    """
    advice = "send a smaller image or raise --max-upload-bytes"
    body = await read_body(request, limits.max_upload_bytes, advice)
    content_type = request.headers.get("content-type", "")
    is_form = content_type.lower().startswith("multipart/form-data")
    images = _from_form(content_type, body, limits.max_images) if is_form else [body]
    if not any(images):
        raise HTTPException(400, f"the image is empty (0 bytes): {_HOW}")
    return images


async def read_body(request: Request, max_bytes: int, advice: str) -> bytes:
    """The body; `ProblemError` (413), which ends with ``advice``, as soon as it has more than ``max_bytes``."""
    announced = request.headers.get("content-length", "")
    if announced.isdigit() and int(announced) > max_bytes:
        raise _too_large(f"{announced} bytes", max_bytes, advice)
    return b"".join([chunk async for chunk in _bounded(request.stream(), max_bytes, advice)])


async def _bounded(stream: AsyncIterator[bytes], max_bytes: int, advice: str) -> AsyncIterator[bytes]:
    received = 0
    async for chunk in stream:
        received += len(chunk)
        if received > max_bytes:
            raise _too_large(f"more than {max_bytes} bytes", max_bytes, advice)
        yield chunk


def _too_large(size: str, max_bytes: int, advice: str) -> ProblemError:
    return ProblemError(413, "body-too-large", f"the body has {size}, the limit is {max_bytes}: {advice}")


def _from_form(content_type: str, body: bytes, max_images: int) -> list[bytes]:
    try:
        fields = parse_form(content_type, body, max_images + _OTHER_FIELDS)
    except FormError as error:
        raise HTTPException(400, f"the multipart form is damaged ({error}): {_HOW}") from None
    images = [bytes(field.data) for field in fields if field.name == FIELD and field.filename is not None]
    if not images:
        have = ", ".join(f"'{field.name}'" for field in fields) or "none"
        raise HTTPException(422, f"the form has no file '{FIELD}' (its fields: {have}): {_HOW}")
    if len(images) > max_images:
        what = f"the form has {len(images)} images, the limit is {max_images}: send fewer, or raise --max-images"
        raise ProblemError(413, "body-too-large", what)
    return images
