"""Admission, waiting and working: how requests share the machine."""

import asyncio
import logging
import math
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from fastapi import HTTPException, Request

from serve.arrivals import Arrivals
from serve.engines.protocol import DeviceError
from serve.metrics import Metrics, State
from serve.models import Model, Models, load_model
from serve.pace import Pace
from serve.pipeline import Order
from serve.problem import CLIENT_GONE, Kind, ProblemError
from serve.reload import Reloader
from serve.segmentation import Encoded
from serve.settings import Settings, available_cores
from serve.ticket import Dropped, Ticket
from serve.upload import read_upload
from train.errors import UserError

_log = logging.getLogger(__name__)


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
        self._requests = 0
        self._images = 0
        self._arrivals = Arrivals()
        self._pace = Pace()
        self._workers = settings.workers or max(available_cores(), 2 * self._largest_batch())
        self._threads = ThreadPoolExecutor(self._workers, thread_name_prefix="segment")
        metrics.watch(lambda: State(self.waiting, self._requests, self.ready))

    def _largest_batch(self) -> int:
        return max(self.models[name].pipeline.batcher.max_batch for name in self.models)

    def _load(self, name: str, root: Path) -> Model:
        return load_model(name, root, self.settings, self.metrics.batch)

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
        without_a_thread = max(0, self._images - self._workers)
        return without_a_thread + sum(self.models[name].pipeline.batcher.waiting for name in self.models)

    async def warm_up(self) -> None:
        """Prove every model; from then on the service is ready. `UserError` if one fails."""
        for name in self.models:
            await asyncio.get_running_loop().run_in_executor(self._threads, self.models[name].prove)
            self._tell(self.models[name])
        self.unready = None

    async def watch(self) -> None:
        """Follow the changes of the bundles; never returns."""
        if self.settings.reload_s:
            await self.reloader.watch(self.settings.reload_s)

    async def segment(self, request: Request, name: str, order: Order) -> list[Encoded | Exception]:
        """Read, segment and encode the images of a request; of one that cannot be, the error stands in its place.

        Raises:
            HTTPException: 503 not ready, full, too late, or the network failed; what `serve.upload.read_upload` raises.
        """
        self._admit()
        self._requests += 1
        try:
            uploads = await self._arrivals.receive(read_upload(request, self.settings))
            self._images += len(uploads)
            try:
                return await self._work(request, name, uploads, order)
            finally:
                self._images -= len(uploads)
        finally:
            self._requests -= 1

    def close(self) -> None:
        """End the worker threads, when their work is done."""
        self._threads.shutdown()

    def _admit(self) -> None:
        if self.unready is not None:
            raise self._refusal("not-ready", self.unready)
        if self._requests >= self.settings.max_concurrency and not self._arrivals.displace():
            raise self._refusal("overloaded", f"{self._requests} requests are being worked on, the limit")
        wait_s = self._pace.estimate_s(self._images + 1)
        if wait_s > self.settings.deadline_s:
            raise self._refusal("overloaded", f"an answer would take {wait_s:.1f} s by now", wait_s)

    async def _work(self, request: Request, name: str, uploads: list[bytes], order: Order) -> list[Encoded | Exception]:
        ticket = Ticket(self.settings.deadline_s)
        loop = asyncio.get_running_loop()
        jobs = [loop.run_in_executor(self._threads, self._answer, name, data, order, ticket) for data in uploads]
        work = asyncio.gather(*jobs)
        gone = asyncio.ensure_future(_gone(request))
        try:
            await asyncio.wait((work, gone), timeout=ticket.remaining_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            if not work.done():
                ticket.cancel()
                work.add_done_callback(_look_at)
            left = gone.done()
            gone.cancel()
        if work.done():
            return self._results(work)
        if left:
            raise HTTPException(CLIENT_GONE, "the client went away")
        raise self._too_late()

    def _results(self, work: "asyncio.Future[list[Encoded | Exception]]") -> list[Encoded | Exception]:
        try:
            return work.result()
        except Dropped:
            raise self._too_late() from None
        except DeviceError as error:
            raise self._refusal("not-ready", str(error)) from None

    def _answer(self, name: str, data: bytes, order: Order, ticket: Ticket) -> Encoded | Exception:
        """In a thread: one image's answer, or what is wrong with that image."""
        with self.models.use(name) as model:
            start = time.perf_counter()
            try:
                encoded = model.pipeline.answer(data, order, ticket)
            except Dropped:
                raise
            except DeviceError as error:
                self._device_lost(model, error)
                raise
            except UserError as error:
                return error
            except Exception as error:  # of the engine, on this image alone
                _log.exception("%s: an image could not be segmented", name)
                self.reloader.failed(model, error)
                return error
            self.reloader.answered(model)
        self._pace.finished(self._images - 1)
        encoded.times["queue"] += max(0.0, (start - ticket.since) * 1e3)
        return encoded

    def _device_lost(self, model: Model, error: DeviceError) -> None:
        if not self.reloader.failed(model, error):
            self.unready = f"the device of '{model.name}' failed ({error})"
            _log.critical("%s", self.unready)

    def _too_late(self) -> ProblemError:
        return self._refusal("deadline-exceeded", f"there was no answer within {self.settings.deadline_s:g} s")

    def _refusal(self, kind: Kind, reason: str, retry_s: float = 1.0) -> ProblemError:
        self.metrics.refused(kind)
        return ProblemError(503, kind, f"{reason}: try again", {"Retry-After": str(math.ceil(retry_s))})


async def _gone(request: Request) -> None:
    """Returns when the client is gone; the body has been read."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _look_at(work: "asyncio.Future[list[Encoded | Exception]]") -> None:
    if not work.cancelled():
        work.exception()  # or asyncio logs that nobody did
