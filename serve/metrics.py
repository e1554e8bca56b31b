"""What a Prometheus server scrapes: ``/metrics``, of one process or of several."""

import asyncio
import atexit
import contextlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Literal, NamedTuple

from serve.board.board import Board
from serve.board.gauges import BoardGauges, Merged
from serve.timing import StageTimes

_SHARED = "PROMETHEUS_MULTIPROC_DIR"  # prometheus_client reads it when it is imported
_MEMORY_DISK = Path("/dev/shm")
_FOLDER = "segdistill-metrics-"

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_IMAGES = (1, 2, 4, 8, 16, 32, 64)
_INFO = ("model", "engine", "device", "precision", "sha256")


class State(NamedTuple):
    """What the server is at, this moment."""

    queued: int
    in_flight: int
    live: int
    ready: bool


class Metrics:
    """Counters of this process, and on exposition those of all processes that share a directory."""

    def __init__(self, board: Board | None = None) -> None:
        # Not with the module: what is imported before `shared_between_processes` counts for one process only.
        from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics
        from prometheus_client.values import close_all_multiprocess_files

        disable_created_metrics()  # type: ignore[no-untyped-call]  # a third of the text, and rate() needs none of it
        if _SHARED in os.environ:
            atexit.register(close_all_multiprocess_files)
        self._registry = CollectorRegistry()
        self._state: Callable[[], State] | None = None
        self._models: dict[str, tuple[str, ...]] = {}

        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(f"segdistill_{name}", text, labels, registry=self._registry)

        def histogram(name: str, text: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
            return Histogram(f"segdistill_{name}", text, labels, registry=self._registry, buckets=buckets)

        def gauge(name: str, text: str, mode: Merged, *labels: str) -> Gauge:
            return Gauge(f"segdistill_{name}", text, labels, registry=self._registry, multiprocess_mode=mode)

        self._requests = counter("requests", "requests by outcome; status 499: the client left", "model", "status")
        self._refusals = counter("refusals", "requests and connections refused before any work, by reason", "reason")
        self._request_s = histogram("request_seconds", "whole requests, the body's arrival included", _SECONDS, "model")
        self._stage_s = histogram("stage_seconds", "stages of answered requests", _SECONDS, "model", "stage")
        self._batch_images = histogram("batch_images", "images the network sees together", _IMAGES, "model")
        self._engine_s = histogram("engine_seconds", "the engine on one batch", _SECONDS, "model")
        self._live_frames = counter("live_frames", "frames of live viewers by outcome", "model", "outcome")
        self._live_stage_s = histogram("live_stage_seconds", "stages of live frames", _SECONDS, "model", "stage")
        self._live = gauge("live_viewers", "live viewers connected", "livesum")
        self._queued = gauge("queue_images", "images that wait for the engine", "livesum")
        self._in_flight = gauge("requests_in_flight", "requests admitted and not answered", "livesum")
        self._ready = gauge("ready_processes", "processes that take requests", "livesum")
        self._memory = gauge("resident_memory_bytes", "resident memory of all processes", "livesum")
        self._info = gauge("model_info", "1 for each model that is served", "livemax", *_INFO)
        self._board = None if board is None else BoardGauges(board, gauge)

    def request(self, model: str, status: int, seconds: float) -> None:
        """A request has ended. ``model`` must be one that is served, or empty: every value is a series of its own."""
        self._requests.labels(model, str(status)).inc()
        if status != HTTPStatus.SWITCHING_PROTOCOLS:  # a viewer stays as long as it likes
            self._request_s.labels(model).observe(seconds)

    def stages(self, model: str, times: StageTimes) -> None:
        """The stages of an answered request."""
        for stage, ms in times.items():
            self._stage_s.labels(model, stage).observe(ms / 1e3)

    def live_frame(self, model: str, times: StageTimes) -> None:
        """A frame of a live viewer was answered."""
        self._live_frames.labels(model, "answered").inc()
        for stage, ms in times.items():
            self._live_stage_s.labels(model, stage).observe(ms / 1e3)

    def live_lost(self, model: str, outcome: Literal["superseded", "failed"], frames: int) -> None:
        """So many frames of a live viewer got no mask."""
        self._live_frames.labels(model, outcome).inc(frames)

    def batch(self, model: str, images: int, seconds: float) -> None:
        """The engine has run on so many images, in so many seconds."""
        self._batch_images.labels(model).observe(images)
        self._engine_s.labels(model).observe(seconds)

    def refused(self, reason: str) -> None:
        """A request, or a connection, was turned away. ``reason`` is one of a fixed few."""
        self._refusals.labels(reason).inc()

    def watch(self, state: Callable[[], State]) -> None:
        """Ask ``state`` for the gauges, at each exposition and by `keep_fresh`."""
        self._state = state

    def model(self, name: str, engine: str, device: str, precision: str, sha256: str) -> None:
        """This model is served, in place of a former one of the same name."""
        if former := self._models.get(name):
            self._info.labels(*former).set(0)
        self._models[name] = (name, engine, device, precision, sha256)
        self._info.labels(*self._models[name]).set(1)

    def refresh(self) -> None:
        """Write the gauges of this process."""
        if self._state is not None:
            state = self._state()
            self._queued.set(state.queued)
            self._in_flight.set(state.in_flight)
            self._live.set(state.live)
            self._ready.set(state.ready)
        if (resident := _resident_bytes()) is not None:
            self._memory.set(resident)

    async def keep_fresh(self, every_s: float = 1.0) -> None:
        """Refresh for ever: with several processes, another one than this may be scraped."""
        while True:
            self.refresh()
            await asyncio.sleep(every_s)

    def exposition(self) -> tuple[bytes, str]:
        """The text that is scraped, and its content type."""
        from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
        from prometheus_client.multiprocess import MultiProcessCollector

        self.refresh()
        if self._board is not None:  # not with `refresh`: sensors take milliseconds that the event loop does not have
            self._board.refresh()
        if _SHARED not in os.environ:
            return generate_latest(self._registry), CONTENT_TYPE_LATEST
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return generate_latest(registry), CONTENT_TYPE_LATEST


@contextlib.contextmanager
def shared_between_processes() -> Iterator[None]:
    """Around the life of several processes: they find each other's counters in a directory, in memory if possible.

    Must be entered before prometheus_client is imported, in the process that starts the others.
    """
    parent = _MEMORY_DISK if os.access(_MEMORY_DISK, os.W_OK) else Path(tempfile.gettempdir())
    _remove_abandoned(parent)
    directory = tempfile.mkdtemp(prefix=f"{_FOLDER}{os.getpid()}-", dir=parent)
    os.environ[_SHARED] = directory
    try:
        yield
    finally:
        del os.environ[_SHARED]
        shutil.rmtree(directory, ignore_errors=True)


def _remove_abandoned(parent: Path) -> None:
    """The directories of parents that were killed: their own end did not come to it."""
    for directory in parent.glob(f"{_FOLDER}*-*"):
        pid = directory.name.removeprefix(_FOLDER).split("-")[0]
        if pid.isdigit() and not _lives(int(pid)):
            shutil.rmtree(directory, ignore_errors=True)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def forget_process(pid: int) -> None:
    """A process has ended: its gauges go, its counters stay."""
    from prometheus_client.multiprocess import mark_process_dead

    mark_process_dead(pid)  # type: ignore[no-untyped-call]


def _resident_bytes() -> int | None:
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except OSError:  # no Linux
        return None
    return pages * os.sysconf("SC_PAGE_SIZE")
