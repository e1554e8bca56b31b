"""``POST /segment/video``."""

import asyncio
import io
from contextlib import AsyncExitStack
from typing import Annotated

from fastapi import FastAPI, Header, HTTPException, Query, Request, Response

from serve.accept import choose_media_type
from serve.access_log import record_of
from serve.answers.overlay import encode_overlay_jpeg
from serve.answers.png import encode_png
from serve.class_choice import chosen_classes
from serve.direct_route import DirectRoute
from serve.model_choice import chosen_model
from serve.models import Model
from serve.pipeline import Order
from serve.problem import PROBLEM_RESPONSES
from serve.segmentation import AnswerOptions
from serve.service import Service
from serve.smoothing import Smoothing
from serve.ticket import Ticket
from serve.video.answer import VideoAnswer, Work
from serve.video.container import ClipLimits, open_clip
from serve.video.conveyor import Conveyor
from serve.video.description import REQUEST_BODY, video_responses
from serve.video.form import Form
from serve.video.frames import read_steps
from serve.video.mp4 import MP4, Mp4
from serve.video.multipart import MULTIPART, Multipart
from serve.video.ndjson import NDJSON, Ndjson
from serve.video.places import Places
from serve.video.wanted import VideoWanted
from serve.wanted import read_query


def add_video(app: FastAPI, service: Service) -> None:
    """Add the path to an application."""
    places = Places(service)

    async def segment_video(
        request: Request,
        wanted: Annotated[VideoWanted | None, Query()] = None,
        accept: Annotated[str, Header(description="the form of the answer, see 200; NDJSON if left out")] = "",
    ) -> Response:
        """Segment a video, frame by frame."""
        wanted = read_query(VideoWanted, request.query_params)
        accept = ", ".join(request.headers.getlist("accept"))
        return await _answer(service, places, request, wanted, accept)

    app.router.add_api_route(
        "/segment/video",
        segment_video,
        methods=["POST"],
        responses={**video_responses(), **PROBLEM_RESPONSES},
        response_class=Response,
        openapi_extra={"requestBody": REQUEST_BODY},
        route_class_override=DirectRoute,
    )


async def _answer(service: Service, places: Places, request: Request, wanted: VideoWanted, accept: str) -> Response:
    """Everything up to the first frame, so that what is wrong before is said by the status."""
    async with AsyncExitStack() as stack:
        model = stack.enter_context(service.models.use(chosen_model(wanted.model, service.models)))
        record_of(request.scope).model = model.name
        order, form = _order(model, wanted, accept)
        stack.callback(form.close)
        stack.enter_context(places.place())
        data = await places.receive(request)
        ticket = Ticket(service.settings.video_deadline_s)
        opening = open_clip(io.BytesIO(data), _limits(service))
        clip = await service.in_thread(opening.__enter__)
        stack.push(opening.__exit__)
        smoothing = Smoothing(wanted.smoothing) if wanted.smoothing else None
        conveyor = Conveyor(service, model, order, ticket, smoothing)
        frames = conveyor.run(read_steps(clip, wanted.every))
        stack.push_async_callback(frames.aclose)
        work = Work(service, request, form, frames, ticket)
        watch = asyncio.create_task(work.watch_client())
        stack.callback(watch.cancel)
        pieces = work.pieces()
        stack.push_async_callback(pieces.aclose)
        first = await anext(pieces)
        return VideoAnswer(work, first, pieces, form, stack.pop_all())


def _limits(service: Service) -> ClipLimits:
    settings = service.settings
    return ClipLimits(settings.max_video_pixels, settings.max_video_frames, settings.max_video_s)


def _order(model: Model, wanted: VideoWanted, accept: str) -> tuple[Order, Form]:
    offers = (MULTIPART, MP4) if wanted.overlay else (NDJSON, MULTIPART, MP4)
    media_type = choose_media_type(accept, offers)
    if media_type is None:
        what = "overlays of a video" if wanted.overlay else "a video's class maps"
        raise HTTPException(406, f"cannot give {what} as '{accept}': accept one of {', '.join(offers)}")
    options = AnswerOptions(wanted.overlay, False, chosen_classes(wanted.classes, model.manifest))
    part_type, encode = ("image/jpeg", encode_overlay_jpeg) if wanted.overlay else ("image/png", encode_png)
    form: Form
    if media_type == NDJSON:
        form = Ndjson(model.manifest, options)
    elif media_type == MULTIPART:
        form = Multipart(model.manifest, options, part_type, encode)
    else:
        form = Mp4(model.manifest, wanted.every)
    return Order(part_type, encode, options, wanted.size), form
