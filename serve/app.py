"""The HTTP interface: paths, media types, status codes."""

from functools import partial
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Header, HTTPException, Query, Request, Response
from fastapi.responses import JSONResponse

from serve.accept import choose_media_type
from serve.access_log import RequestRecord, record_of
from serve.answers.media import encoders
from serve.answers.responses import segment_responses
from serve.answers.several import NOTES_HEADER, pack
from serve.class_choice import chosen_classes
from serve.direct_route import DirectRoute
from serve.docs_page import DOCS
from serve.live.endpoint import add_live
from serve.model_card import ModelCard, card_of
from serve.model_choice import chosen_model
from serve.models import Model
from serve.page import PAGE
from serve.pipeline import Order
from serve.problem import PROBLEM_RESPONSES, ProblemError, answer_problems, problem_of
from serve.segmentation import AnswerOptions, Encoded
from serve.sending import Sending
from serve.service import Service
from serve.timing import StageTimes
from serve.upload import FIELD
from serve.video.offer import offer_video
from serve.wanted import Wanted, read_query

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
    app = FastAPI(title="segdistill", docs_url=None, redoc_url=None, redirect_slashes=False)
    app.state.service = service
    app.router.add_api_route(
        "/segment",
        segment,
        methods=["POST"],
        responses=segment_responses(),
        response_class=Response,
        openapi_extra={"requestBody": _REQUEST_BODY},
        route_class_override=DirectRoute,
    )
    app.add_api_route("/model", model, responses={404: PROBLEM_RESPONSES[404]})
    app.add_api_route("/models", models)
    for path, endpoint in (("/healthz", healthz), ("/readyz", readyz)):
        app.add_api_route(path, endpoint, responses={503: PROBLEM_RESPONSES[503]})
        app.add_api_route(path, endpoint, methods=["HEAD"], include_in_schema=False)
    app.add_api_route("/metrics", metrics, response_class=Response)
    add_live(app, service)
    offer_video(app, service)
    PAGE.add_to(app)
    DOCS.add_to(app)
    answer_problems(app)
    app.openapi()  # kept; it takes longer than any request may hold up the others
    return app


async def _service(request: Request) -> Service:  # async: a plain function would cost a hop to a thread
    service: Service = request.app.state.service
    return service


TheService = Annotated[Service, Depends(_service)]


async def segment(
    request: Request,
    wanted: Annotated[Wanted | None, Query()] = None,
    accept: Annotated[str, Header(description="the form of the answer, see 200; image/png if left out")] = "",
) -> Response:
    """Segment an image, or several."""
    service: Service = request.app.state.service
    wanted = read_query(Wanted, request.query_params)
    accept = ", ".join(request.headers.getlist("accept"))
    record = record_of(request.scope)
    with service.models.use(chosen_model(wanted.model, service.models)) as loaded:
        record.model = loaded.name
        order = _order(loaded, wanted, accept)
        answers = await service.segment(request, loaded, order)
    if len(answers) == 1:
        return _one(service, record, answers[0])
    return await _several(service, record, answers, order.media_type)


def _order(model: Model, wanted: Wanted, accept: str) -> Order:
    if wanted.confidence and model.manifest.output.confidence is None:
        reason = f"'{model.name}' gives no confidence: export it with `python -m export.onnx … --confidence`"
        raise ProblemError(422, "invalid-parameter", reason)
    classes = chosen_classes(wanted.classes, model.manifest)
    options = AnswerOptions(wanted.overlay, wanted.confidence, classes, wanted.tolerance)
    offers = encoders(options)
    media_type = choose_media_type(accept, list(offers))
    if media_type is None:
        plain = "an overlay" if wanted.overlay else "a class map"
        what = f"{plain} with confidence" if wanted.confidence else plain
        raise HTTPException(406, f"cannot give {what} as '{accept}': accept one of {', '.join(offers)}")
    return Order(media_type, offers[media_type], options, wanted.size)


def _one(service: Service, record: RequestRecord, answer: Encoded | Exception) -> Response:
    if isinstance(answer, Exception):
        raise answer
    record.times, record.batch = answer.times, answer.batch
    headers = {"Server-Timing": answer.times.header(), "Vary": "Accept", **answer.headers}
    if answer.notes:
        headers[NOTES_HEADER] = "; ".join(answer.notes)
    return Sending(service.admission, answer.body, 200, answer.media_type, headers)


async def _several(
    service: Service, record: RequestRecord, answers: list[Encoded | Exception], media_type: str
) -> Response:
    """Times of the longest, stage by stage. The status is an error's only if there is nothing else."""
    good = [answer for answer in answers if isinstance(answer, Encoded)]
    for answer in good:
        longest = {stage: max(ms, record.times.get(stage, 0.0)) for stage, ms in answer.times.items()}
        record.times = StageTimes(longest)
        record.batch = max(answer.batch, record.batch or 1)
    body, media_type = await service.in_thread(partial(pack, answers, media_type))
    errors = [answer for answer in answers if isinstance(answer, Exception)]
    status = 200 if good else problem_of(errors[0]).status
    return Sending(
        service.admission, body, status, media_type, {"Server-Timing": record.times.header(), "Vary": "Accept"}
    )


async def model(
    service: TheService,
    model: Annotated[str | None, Query(description="a name of /models; left out: the first")] = None,
) -> ModelCard:
    """What a model is: engine, proof, and its bundle's manifest with classes, palette, input, accuracy, versions."""
    loaded = service.models[chosen_model(model, service.models)]
    return card_of(loaded, service.reloader.errors.get(loaded.name))


async def models(service: TheService) -> dict[str, Any]:
    """The names of the models; the default one is for requests that name none."""
    return {"default": service.models.default, "models": list(service.models)}


async def healthz() -> dict[str, str]:
    """The process answers."""
    return {"status": "ok"}


async def readyz(service: TheService) -> JSONResponse:
    """The models have proven themselves: send requests. 503 before, at the end, and after a failure of the device."""
    if not service.ready:
        raise service.admission.refusal("not-ready", service.unready or "the server is about to end")
    return JSONResponse({"status": "ready"})


def metrics(service: TheService) -> Response:  # not async: with several processes it reads their files
    """For Prometheus."""
    body, content_type = service.metrics.exposition()
    return Response(body, media_type=content_type)
