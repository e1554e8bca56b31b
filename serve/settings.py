"""What can be set of a server, by option or by environment variable: ``SEGDISTILL_SERVE_``, the name in capitals."""

import argparse
import difflib
import os
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from serve.engines.protocol import EngineName
from train.data.image import MAX_PIXELS
from train.errors import UserError

ENVIRONMENT_PREFIX = "SEGDISTILL_SERVE_"
_API_KEYS = "api_keys"  # no option, see serve/api_key.py


def available_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Address(BaseSettings):
    """Where the server listens and what of it runs."""

    host: str = Field(default="127.0.0.1", description="address to listen on; 0.0.0.0: every network of this host")
    port: int = Field(default=8000, ge=0, le=65535, description="TCP port; 0: a free one, printed at the start")
    processes: int = Field(default=1, gt=0, description="worker processes on that port, each with its own networks")


class Execution(BaseSettings):
    """How the network is run."""

    engine: EngineName = Field(default="auto", description="what runs the network; auto: the best that is here")
    kserve_url: str | None = Field(
        default=None,
        description="for --engine kserve: the server that has the network, http://HOST:8000, as NVIDIA Triton; "
        "its model has the bundle's name",
    )
    threads: int = Field(
        default_factory=available_cores,
        gt=0,
        description="CPU threads of a lone inference; of several at once each has one",
    )
    parallel: int | None = Field(
        default=None, gt=0, description="inferences at once; None: one on a GPU, one for each core on a CPU"
    )
    max_batch: int | None = Field(
        default=None,
        gt=0,
        description="images in one inference, those that wait go in together; None: 8 on a GPU, 1 on a CPU, "
        "where batches are no faster",
    )
    max_delay_ms: float = Field(
        default=0.0, ge=0, description="how long a batch waits for images that are being decoded, in milliseconds"
    )
    reload_s: float = Field(
        default=2.0, ge=0, description="how often a bundle is looked at for a new version, in seconds; 0: never"
    )


class Limits(BaseSettings):
    """What the server refuses to do for one client, so that it keeps working for the others.

    At any time there are at most ``max_concurrency`` bodies, ``workers`` decoded images with their answers, and
    ``max_unsent_bytes`` of other answers in memory; and of each of ``max_live`` viewers three frames, two of them
    decoded, and a mask.
    """

    max_upload_bytes: int = Field(
        default=16 * 2**20, gt=0, description="largest request body, in bytes; more is answered 413"
    )
    max_pixels: int = Field(
        default=MAX_PIXELS,
        gt=0,
        description="largest image, in pixels, read from its header; several of one request may have as many together, "
        "in equal parts; more is answered 413",
    )
    max_unsent_bytes: int = Field(
        default=256 * 2**20,
        gt=0,
        description="answers that clients have not read yet, in bytes; over it new requests are answered 503",
    )
    max_images: int = Field(default=16, gt=0, description="images in one request; more is answered 413")
    max_concurrency: int = Field(
        default=64, gt=0, description="requests received, waiting or worked on at once; one more is answered 503"
    )
    workers: int | None = Field(
        default=None,
        gt=0,
        description="threads that decode, segment and encode; None: the cores, or two full batches where that is more",
    )
    deadline_s: float = Field(
        default=10.0, gt=0, description="time to work on a request that has arrived, in seconds; longer is answered 503"
    )
    upload_timeout_s: float = Field(
        default=30.0, gt=0, description="time for one request body to arrive, in seconds; longer is answered 408"
    )
    head_timeout_s: float = Field(
        default=10.0, gt=0, description="time for the head of a request to arrive, in seconds; then the line is cut"
    )
    max_connections: int = Field(default=1024, gt=0, description="open connections; one more is closed at once")
    max_live: int = Field(default=8, ge=0, description="live viewers at once; one more is answered 503; 0: none")
    live_idle_s: float = Field(
        default=30.0, gt=0, description="time between two frames of a live viewer, in seconds; then it is closed"
    )
    rate: float = Field(
        default=0.0, ge=0, description="requests a second of one client address; more is answered 429; 0: any number"
    )


class VideoLimits(BaseSettings):
    """What the server refuses to do for one video.

    At any time there are ``max_videos`` bodies in memory, twice while a form is taken apart, and of each video three
    decoded frames beside those that its decoder refers to, 17 at the most.
    """

    max_videos: int = Field(default=2, gt=0, description="videos worked on at once; one more is answered 503")
    max_video_bytes: int = Field(default=64 * 2**20, gt=0, description="largest video, in bytes; more is answered 413")
    max_video_pixels: int = Field(
        default=4096 * 2304, gt=0, description="largest frame of a video, in pixels; more is answered 413"
    )
    max_video_frames: int = Field(default=36_000, gt=0, description="frames of a video; more are answered 413")
    max_video_s: float = Field(default=600.0, gt=0, description="length of a video, in seconds; more is answered 413")
    video_deadline_s: float = Field(
        default=900.0, gt=0, description="time to work on a video that has arrived, in seconds; then it is broken off"
    )


class Operation(BaseSettings):
    """How the server is looked after."""

    api_key_file: Path | None = Field(
        default=None,
        description="accepted API keys, one a line; or in the environment, SEGDISTILL_SERVE_API_KEYS; "
        "without any every client is served",
    )
    drain_s: float = Field(
        default=0.5, ge=0, description="time from the end signal, while /readyz says 503, to the end of accepting"
    )
    log_level: Literal["critical", "error", "warning", "info", "debug"] = Field(
        default="info", description="info: a line for each request"
    )
    log_format: Literal["text", "json"] = Field(default="text", description="json: an object a line")
    telemetry: str | None = Field(
        default=None, description="OpenTelemetry collector that gets a trace of each request, http://HOST:4318"
    )


class Settings(Address, Execution, Limits, VideoLimits, Operation):
    """All of them."""

    model_config = SettingsConfigDict(env_prefix=ENVIRONMENT_PREFIX, extra="forbid", frozen=True)


_GROUPS: tuple[type[BaseSettings], ...] = (Address, Execution, Limits, VideoLimits, Operation)


def add_settings(parser: argparse.ArgumentParser) -> None:
    """An option for each setting; those left out are the environment's, and then the defaults."""
    present = _checked()
    for group in _GROUPS:
        options = parser.add_argument_group(_title(group), f"In the environment: {ENVIRONMENT_PREFIX}<NAME>.")
        for name, field in group.model_fields.items():
            options.add_argument(_option(name), default=getattr(present, name), help=field.description, **_kind(field))


def _title(group: type[BaseSettings]) -> str:
    return "limits of videos" if group is VideoLimits else group.__name__.lower()


def settings_of(options: argparse.Namespace) -> Settings:
    """The settings among parsed options; `UserError` if one is out of range."""
    given = {name: getattr(options, name) for name in Settings.model_fields}
    return _checked(**given)


def _checked(**given: Any) -> Settings:
    _check_environment()
    try:
        return Settings(**given)
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0])
        named = _option(name) if given else ENVIRONMENT_PREFIX + name.upper().removeprefix(ENVIRONMENT_PREFIX)
        raise UserError(f"{named}: {first['msg']} (given: {first['input']})") from None


def _check_environment() -> None:
    """`UserError` for a variable of ours that sets nothing: a misspelt limit would not be there."""
    known = {ENVIRONMENT_PREFIX + name.upper() for name in (*Settings.model_fields, _API_KEYS)}
    for name in os.environ:
        if name.startswith(ENVIRONMENT_PREFIX) and name not in known:
            near = difflib.get_close_matches(name, known, 1)
            raise UserError(f"{name}: no such setting" + (f", did you mean {near[0]}?" if near else ""))


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _kind(field: Any) -> dict[str, Any]:
    if get_origin(field.annotation) is Literal:
        return {"choices": get_args(field.annotation)}
    return {"metavar": "N" if {int, float} & {field.annotation, *get_args(field.annotation)} else "TEXT"}
