"""The HTTP interface: paths, parameters, media types, status codes."""

from typing import Annotated, Any, Literal

from fastapi import Depends, FastAPI, Header, HTTPException, Query, Request, Response
from fastapi.responses import JSONResponse

from serve.accept import choose_media_type
from serve.access_log import record_of
from serve.answers.media import encoders
from serve.answers.responses import segment_responses
from serve.answers.several import NOTES_HEADER, pack
from serve.class_choice import chosen_classes
from serve.model_card import ModelCard, card_of
from serve.models import Model
from serve.pipeline import Order
from serve.problem import PROBLEM_RESPONSES, ProblemError, answer_problems
from serve.segmentation import AnswerOptions, Encoded
from serve.service import Service
from serve.upload import FIELD

_BINARY = {"type": "string", "format": "binary"}

_REQUEST_BODY = {
    "required": True,
    "description": f"A JPEG, PNG, WebP or BMP image as the body itself, or a form with one or more files '{FIELD}'.",
    "content": {
        "image/*": {"schema": _BINARY},
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": [FIELD],
                "properties": {FIELD: {"type": "array", "items": _BINARY}},
            }
        },
    },
}


def create_app(service: Service) -> FastAPI:
    """The application around a service."""
    # FastAPI's documentation pages load their scripts from another host.
    app = FastAPI(title="segdistill", docs_url=None, redoc_url=None)
    app.state.service = service
    app.add_api_route(
        "/segment",
        segment,
        methods=["POST"],
        responses={**segment_responses(), **PROBLEM_RESPONSES},
        response_class=Response,
        openapi_extra={"requestBody": _REQUEST_BODY},
    )
    app.add_api_route("/model", model, responses={404: PROBLEM_RESPONSES[404]})
    app.add_api_route("/models", models)
    app.add_api_route("/healthz", healthz)
    app.add_api_route("/readyz", readyz, responses={503: PROBLEM_RESPONSES[503]})
    app.add_api_route("/metrics", metrics, response_class=Response)
    answer_problems(app)
    return app


async def _service(request: Request) -> Service:  # async: a plain function would cost a hop to a thread
    service: Service = request.app.state.service
    return service


TheService = Annotated[Service, Depends(_service)]


async def _model(
    service: TheService,
    model: Annotated[str | None, Query(description="a name of /models; left out: the first")] = None,
) -> Model:
    name = service.models.default if model is None else model
    if name not in service.models.current:
        raise HTTPException(404, f"no model '{name}': there is {', '.join(service.models)}")
    return service.models[name]


TheModel = Annotated[Model, Depends(_model)]


async def segment(
    request: Request,
    service: TheService,
    model: TheModel,
    overlay: Annotated[bool, Query(description="the classes' colours over the image, not the class map")] = False,
    size: Annotated[
        Literal["source", "network"], Query(description="the image's own size, or the network's")
    ] = "source",
    confidence: Annotated[bool, Query(description="also how sure the network is, where the bundle tells")] = False,
    classes: Annotated[
        str | None, Query(description="only these, names or ids with commas between; the rest is the ignored id")
    ] = None,
    tolerance: Annotated[
        float, Query(ge=0, le=100, description="of polygons: how far an outline may be off, in pixels")
    ] = 1.0,
    accept: Annotated[str, Header(description="the form of the answer, see 200; image/png if left out")] = "",
) -> Response:
    """Segment an image, or several."""
    record_of(request.scope).model = model.name
    if confidence and model.manifest.output.confidence is None:
        raise _invalid(f"'{model.name}' gives no confidence: export it with `python -m export.onnx … --confidence`")
    options = AnswerOptions(overlay, confidence, chosen_classes(classes, model.manifest), tolerance)
    offers = encoders(options)
    accept = ", ".join(request.headers.getlist("accept"))  # FastAPI gives the first of several lines
    media_type = choose_media_type(accept, list(offers))
    if media_type is None:
        what = "an overlay" if overlay else "a class map with confidence" if confidence else "a class map"
        raise HTTPException(406, f"cannot give {what} as '{accept}': accept one of {', '.join(offers)}")
    answers = await service.segment(request, model.name, Order(media_type, offers[media_type], options, size))
    return _response(request, media_type, answers)


def _response(request: Request, media_type: str, answers: list[Encoded | Exception]) -> Response:
    if len(answers) > 1:
        body, media_type = pack(answers, media_type)
        return Response(body, media_type=media_type, headers={"Vary": "Accept"})
    (answer,) = answers
    if isinstance(answer, Exception):
        raise answer
    record = record_of(request.scope)
    record.times, record.batch = answer.times, answer.batch
    headers = {"Server-Timing": answer.times.header(), "Vary": "Accept", **answer.headers}
    if answer.notes:
        headers[NOTES_HEADER] = "; ".join(answer.notes)
    return Response(answer.body, media_type=media_type, headers=headers)


async def model(service: TheService, model: TheModel) -> ModelCard:
    """What a model is: engine, proof, and its bundle's manifest with classes, palette, input, accuracy, versions."""
    return card_of(model, service.reloader.errors.get(model.name))


async def models(service: TheService) -> dict[str, Any]:
    """The names of the models; the default one is for requests that name none."""
    return {"default": service.models.default, "models": list(service.models)}


async def healthz() -> dict[str, str]:
    """The process answers."""
    return {"status": "ok"}


async def readyz(service: TheService) -> JSONResponse:
    """The models have proven themselves: send requests. 503 before, at the end, and after a failure of the device."""
    if not service.ready:
        reason = service.unready or "the server is about to end"
        raise ProblemError(503, "not-ready", f"{reason}: try again", {"Retry-After": "1"})
    return JSONResponse({"status": "ready"})


async def metrics(service: TheService) -> Response:
    """For Prometheus."""
    body, content_type = service.metrics.exposition()
    return Response(body, media_type=content_type)


def _invalid(reason: str) -> ProblemError:
    return ProblemError(422, "invalid-parameter", reason)
