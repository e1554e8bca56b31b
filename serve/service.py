"""Admission, waiting and working: how requests share the machine."""

import asyncio
import gc
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from fastapi import HTTPException, Request

from serve.admission import Admission
from serve.batcher import InferenceError
from serve.engines.elastic import ElasticEngine
from serve.engines.protocol import DeviceError, NotNow
from serve.metrics import Metrics, State
from serve.models import Model, Models, load_model
from serve.pipeline import Order
from serve.problem import CLIENT_GONE, ProblemError
from serve.reload import Reloader
from serve.segmentation import Encoded
from serve.settings import Settings, available_cores
from serve.ticket import Dropped, Ticket
from serve.upload import read_upload
from train.errors import UserError

_log = logging.getLogger(__name__)

T = TypeVar("T")

_SOON_S = 0.05


class Service:
    """Models behind a bounded number of requests. Images are worked on in threads, never on the event loop."""

    def __init__(self, roots: Mapping[str, Path], settings: Settings, metrics: Metrics) -> None:
        self.settings = settings
        self.metrics = metrics
        self.models = Models({name: self._load(name, root) for name, root in roots.items()})
        self.reloader = Reloader(self.models, self._load, self._tell)
        self.unready: str | None = "the model is warming up"
        """Why no request is taken; None: they are."""
        self.draining = False
        self.device_lost = False
        self.admission = Admission(settings, metrics.refused)
        self._workers = settings.workers or max(available_cores(), 2 * self._largest_batch())
        self._threads = ThreadPoolExecutor(self._workers, thread_name_prefix="segment")
        # As many again: where both have more than they can do, requests and live viewers share the networks evenly.
        self._live_threads = ThreadPoolExecutor(self._workers, thread_name_prefix="live")
        metrics.watch(lambda: State(self.waiting, self.admission.requests, self.admission.streams, self.ready))

    def _largest_batch(self) -> int:
        return max(self.models[name].pipeline.batcher.max_batch for name in self.models)

    def _load(self, name: str, root: Path) -> Model:
        model = load_model(name, root, self.settings, self.metrics.batch)
        if isinstance(model.choice.engine, ElasticEngine):
            model.choice.engine.crowded = lambda: self.admission.images > 1
        return model

    def _tell(self, model: Model) -> None:
        engine, record = model.choice.engine, model.bundle.record(model.choice.engine.role)
        self.metrics.model(model.name, engine.name, engine.device, engine.precision, record.sha256)

    @property
    def ready(self) -> bool:
        """Whether new clients are welcome."""
        return self.unready is None and not self.draining

    @property
    def waiting(self) -> int:
        """Images that wait for a thread or a network."""
        without_a_thread = max(0, self.admission.images - self._workers)
        return without_a_thread + sum(self.models[name].pipeline.batcher.waiting for name in self.models)

    async def warm_up(self) -> None:
        """Prove every model; from then on the service is ready. `UserError` if one fails."""
        for name in self.models:
            await asyncio.get_running_loop().run_in_executor(self._threads, self.models[name].prove)
            self._tell(self.models[name])
        gc.collect()
        gc.freeze()  # what is there now stays: going through it again and again would hold up requests for milliseconds
        self.unready = None

    async def watch(self) -> None:
        """Follow the changes of the bundles; never returns."""
        if self.settings.reload_s:
            await self.reloader.watch(self.settings.reload_s)

    async def segment(self, request: Request, model: Model, order: Order) -> list[Encoded | Exception]:
        """Read, segment and encode the images of a request; of one that cannot be, the error stands in its place.

        Raises:
            HTTPException: 503 not ready, full, too late, or the network failed; what `serve.upload.read_upload` raises.
        """
        if self.unready is not None:
            raise self.admission.refusal("not-ready", self.unready)
        with self.admission.request():
            uploads = await self.admission.body(read_upload(request, self.settings))
            self.admission.take(len(uploads))
            return await self._work(request, model, uploads, order)

    @contextmanager
    def stream(self) -> Iterator[None]:
        """Around a live viewer's connection; `ProblemError` (503) if it cannot be taken."""
        if self.unready is not None or self.draining:
            raise self.admission.refusal("not-ready", self.unready or "the server is about to end")
        with self.admission.stream():
            yield

    async def on_frame(self, model: Model, work: Callable[[], T]) -> T | Exception:
        """What ``work`` gives of a live frame, in a thread, or what is wrong with the frame; see `on_one_image`.

        The thread has the model to itself: the viewer may leave before it ends.
        """
        self.models.hold(model)
        self.admission.join(1)
        done = asyncio.get_running_loop().run_in_executor(self._live_threads, self._with_model, model, work)
        done.add_done_callback(_look_at)
        return await asyncio.shield(done)

    async def in_live_thread(self, work: Callable[[], T]) -> T:
        """The result of what is to be done for a live viewer besides the network."""
        return await asyncio.get_running_loop().run_in_executor(self._live_threads, work)

    async def in_thread(self, work: Callable[[], T]) -> T:
        """The result of what would hold up the event loop."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    def close(self) -> None:
        """End the worker threads, when their work is done."""
        self._threads.shutdown()
        self._live_threads.shutdown()

    async def _work(
        self, request: Request, model: Model, uploads: list[bytes], order: Order
    ) -> list[Encoded | Exception]:
        ticket = Ticket(self.settings.deadline_s)
        jobs = [self._start(model, data, order, ticket, len(uploads)) for data in uploads]
        work = jobs[0] if len(jobs) == 1 else asyncio.gather(*jobs)
        await asyncio.wait((work,), timeout=_SOON_S)
        if not work.done():  # most are: a watch over the client costs more than it could save
            await self._watched(request, work, ticket)
        self._check(work)
        return [job.result() for job in jobs]

    async def _watched(self, request: Request, work: "asyncio.Future[Any]", ticket: Ticket) -> None:
        """Wait for work as long as the client does, and the deadline allows; `HTTPException` if they end first."""
        gone = asyncio.ensure_future(_gone(request))
        try:
            await asyncio.wait((work, gone), timeout=ticket.remaining_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            if not work.done():
                ticket.cancel()
                work.add_done_callback(_look_at)
            left = gone.done()
            gone.cancel()
        if not work.done():
            raise HTTPException(CLIENT_GONE, "the client went away") if left else self._too_late()

    def _start(
        self, model: Model, data: bytes, order: Order, ticket: Ticket, shares: int
    ) -> "asyncio.Future[Encoded | Exception]":
        """An image's way through a thread. It has the model to itself: the request may be given up before its end."""
        self.models.hold(model)
        max_pixels = self.settings.max_pixels // shares
        return asyncio.get_running_loop().run_in_executor(
            self._threads, self._answer, model, data, order, ticket, max_pixels
        )

    def _check(self, work: "asyncio.Future[Any]") -> None:
        """`HTTPException` for what ends a whole request."""
        try:
            work.result()
        except Dropped:
            raise self._too_late() from None
        except DeviceError as error:
            raise self.admission.refusal("not-ready", str(error)) from None
        except (NotNow, MemoryError) as error:
            raise self.admission.refusal("overloaded", str(error) or "there is no memory left") from None

    def _answer(self, model: Model, data: bytes, order: Order, ticket: Ticket, max_pixels: int) -> Encoded | Exception:
        """In a thread: one image's answer, or what is wrong with that image."""
        start = time.perf_counter()
        encoded = self._with_model(model, lambda: model.pipeline.answer(data, order, ticket, max_pixels))
        if isinstance(encoded, Encoded):
            encoded.times["queue"] += max(0.0, (start - ticket.since) * 1e3)
        return encoded

    def _with_model(self, model: Model, work: Callable[[], T]) -> T | Exception:
        """In a thread that holds the model."""
        try:
            return self.on_one_image(model, work)
        finally:
            self.models.release(model)

    def on_one_image(self, model: Model, work: Callable[[], T]) -> T | Exception:
        """In a thread: what ``work`` gives for an image that admission counts, or what is wrong with that image.

        Raises:
            Dropped, DeviceError, NotNow, MemoryError: not the image's fault.
        """
        worked = True
        try:
            result = work()
        except Dropped:
            worked = False
            raise
        except DeviceError as error:
            self._lose_device(model, error)
            raise
        except (NotNow, MemoryError):
            raise
        except UserError as error:
            return error
        except InferenceError as error:
            _log.exception("%s: the network failed on an image", model.name)
            self.reloader.failed(model, error)
            return error
        except Exception as error:
            _log.exception("%s: an image could not be answered", model.name)
            return error
        finally:
            self.admission.done(worked)
        self.reloader.answered(model)
        return result

    def _lose_device(self, model: Model, error: DeviceError) -> None:
        if not self.reloader.failed(model, error):
            self.unready = f"the device of '{model.name}' failed ({error})"
            self.device_lost = True
            _log.critical("%s", self.unready)

    def _too_late(self) -> ProblemError:
        return self.admission.refusal("deadline-exceeded", f"there was no answer within {self.settings.deadline_s:g} s")


async def _gone(request: Request) -> None:
    """Returns when the client is gone; the body has been read."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _look_at(work: "asyncio.Future[Any]") -> None:
    if not work.cancelled():
        work.exception()  # or asyncio logs that nobody did
