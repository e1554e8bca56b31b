"""The HTTP interface: paths, media types, status codes."""

from typing import Annotated, Any

from fastapi import Depends, FastAPI, Header, HTTPException, Query, Request, Response
from fastapi.responses import JSONResponse

from export.manifest import Manifest
from serve.accept import choose_media_type
from serve.answers.media import MASK_ENCODERS, OVERLAY_ENCODERS, SegmentAnswer
from serve.error_answers import ERROR_RESPONSES, answer_errors
from serve.service import Service
from serve.upload import FIELD

_BINARY = {"schema": {"type": "string", "format": "binary"}}

_REQUEST_BODY = {
    "required": True,
    "description": "One JPEG, PNG, WebP or BMP image: as the body itself, or as a file field of a form.",
    "content": {
        "image/*": _BINARY,
        "multipart/form-data": {
            "schema": {"type": "object", "required": [FIELD], "properties": {FIELD: _BINARY["schema"]}}
        },
    },
}

_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {
        "model": SegmentAnswer,
        "description": "The class map as an 8-bit palette PNG whose pixel values are the class ids (default), or as "
        "JSON; with `overlay=true` the classes' colours over the image, PNG (default) or JPEG.",
        "content": {"image/png": _BINARY, "image/jpeg": _BINARY},
        "headers": {
            "Server-Timing": {"description": "milliseconds by stage", "schema": {"type": "string"}},
            "Segdistill-Notes": {
                "description": "what had to be done to the image, e.g. 'converted from greyscale'; absent if nothing",
                "schema": {"type": "string"},
            },
        },
    },
    **ERROR_RESPONSES,
}


def create_app(service: Service) -> FastAPI:
    """The application around a service."""
    manifest = service.pipeline.manifest
    # FastAPI's documentation pages load their scripts from another host.
    app = FastAPI(title=f"segdistill: {manifest.name}", docs_url=None, redoc_url=None)
    app.state.service = service
    app.add_api_route(
        "/segment",
        segment,
        methods=["POST"],
        responses=_ANSWERS,
        response_class=Response,
        openapi_extra={"requestBody": _REQUEST_BODY},
    )
    app.add_api_route("/model", model, response_model=Manifest)
    app.add_api_route("/healthz", healthz)
    app.add_api_route("/readyz", readyz, responses={503: ERROR_RESPONSES[503]})
    answer_errors(app)
    return app


async def _service(request: Request) -> Service:  # async: a plain function would cost a hop to a thread
    service: Service = request.app.state.service
    return service


TheService = Annotated[Service, Depends(_service)]


async def segment(
    request: Request,
    service: TheService,
    overlay: Annotated[bool, Query(description="the classes' colours over the image, not the class map")] = False,
    accept: Annotated[str, Header(description="image/png, application/json; with overlay image/png, image/jpeg")] = "",
) -> Response:
    """Segment one image, at its own size."""
    encoders = OVERLAY_ENCODERS if overlay else MASK_ENCODERS
    media_type = choose_media_type(accept, list(encoders))
    if media_type is None:
        what = "an overlay" if overlay else "a class map"
        raise HTTPException(406, f"cannot give {what} as '{accept}': accept one of {', '.join(encoders)}")
    answer = await service.segment(request, encoders[media_type])
    headers = {"Server-Timing": answer.times.header(), "Vary": "Accept"}
    if answer.notes:
        headers["Segdistill-Notes"] = "; ".join(answer.notes)
    return Response(answer.body, media_type=media_type, headers=headers)


async def model(service: TheService) -> Manifest:
    """The bundle's manifest: classes, palette, input, accuracy, versions."""
    return service.pipeline.manifest


async def healthz() -> dict[str, str]:
    """The process answers."""
    return {"status": "ok"}


async def readyz(service: TheService) -> JSONResponse:
    """The model has made its first inference: send requests."""
    if not service.ready:
        raise HTTPException(503, "the model is warming up: try again", headers={"Retry-After": "1"})
    return JSONResponse({"status": "ready"})
