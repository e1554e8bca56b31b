"""Dynamic batching by the threads that need the results: what is waiting when the engine is free goes in together.

There is no batching thread. A thread that comes while the engine is free runs its image at once, so a lone request
waits for nobody and is handed to nobody. Threads that come meanwhile queue up; the one that ran wakes the first of
them, which takes the whole queue with it, so the batches grow with the load and shrink with it.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from serve.engines.protocol import DeviceError, Engine, Outputs
from serve.ticket import Dropped, Ticket
from train.errors import UserError

OfLogits: TypeAlias = Callable[[NDArray[np.float32]], NDArray[np.uint8]]
"""Logits ``(C, h, w)`` of one image to its class ids, in place of the engine."""


class InferenceError(Exception):
    """The engine failed on an image, and not for want of memory or of a device."""


@dataclass(frozen=True)
class Inference:
    """What came out of the network for one image, and how."""

    ids: NDArray[np.uint8]
    """Class ids ``(h, w)``."""
    confidence: NDArray[np.uint8] | None
    """``(h, w)``, None where it was not asked for."""
    queue_ms: float
    inference_ms: float
    """Of the whole batch that it was in."""
    batch: int


@dataclass(eq=False)
class _Item:
    """A thread's image, from its arrival to its result."""

    image: NDArray[np.uint8]
    confidence: bool
    ticket: Ticket
    of_logits: OfLogits | None
    since: float = field(default_factory=time.perf_counter)
    wake: threading.Event = field(default_factory=threading.Event)
    leads: bool = False
    outcome: "Inference | Exception | None" = None

    def finish(self, outcome: "Inference | Exception") -> None:
        self.outcome = outcome
        self.wake.set()


class Batcher:
    """Joins the images of several threads into batches of one engine.

    Args:
        engine: what runs them.
        parallel: inferences at once.
        max_batch: images in one inference; the engine's own limit holds too.
        max_delay_s: how long a batch that is not full waits, and only while `coming` images could still join it.
        on_batch: called with the number of images and the seconds of each inference.
    """

    def __init__(
        self,
        engine: Engine,
        parallel: int = 1,
        max_batch: int = 8,
        max_delay_s: float = 0.0,
        on_batch: Callable[[int, float], None] = lambda *_: None,
    ) -> None:
        self._engine = engine
        self.max_batch = min(max_batch, engine.largest_batch or max_batch)
        self._max_delay_s = max_delay_s
        self._on_batch = on_batch
        self._free = parallel
        self._coming = 0
        self._waiting: list[_Item] = []
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)

    @property
    def waiting(self) -> int:
        """Images that wait for the engine."""
        return len(self._waiting)

    @contextmanager
    def coming(self) -> Iterator[None]:
        """Around the making of an image that `infer` will be called with: a batch may wait for it."""
        with self._lock:
            self._coming += 1
        try:
            yield
        finally:
            with self._lock:
                self._coming -= 1
                self._changed.notify_all()

    @property
    def gives_logits(self) -> bool:
        """Whether `infer` can be asked for what is made ``of_logits``."""
        return self._engine.logits is not None

    def infer(
        self,
        image: NDArray[np.uint8],
        ticket: Ticket,
        confidence: bool = False,
        of_logits: OfLogits | None = None,
    ) -> Inference:
        """RGB ``(1, h, w, 3)`` to its class ids, alone or with those of other threads.

        Raises:
            Dropped: the ticket became invalid while the image waited.
            InferenceError: the engine failed on this very image. One that fails in a batch is tried again alone, so
                that it fails alone.
            UserError: as the engine raised it; `DeviceError` and `NotNow` are for the whole batch.
        """
        item = _Item(image, confidence, ticket, of_logits)
        with self._lock:
            self._waiting.append(item)
            self._changed.notify_all()
            if self._free:
                self._free -= 1
                item.leads = True
        while self._has_to_lead(item):
            self._lead()
        if isinstance(item.outcome, Exception):
            raise item.outcome
        assert item.outcome is not None
        return item.outcome

    def _has_to_lead(self, item: _Item) -> bool:
        """Wait until this thread has to run a batch (True), or has its result (False)."""
        while True:
            item.wake.clear()
            with self._lock:  # a thread that was told to lead has to, even if another ran its image meanwhile
                if item.leads:
                    item.leads = False
                    return True
                if item.outcome is not None:
                    return False
            item.wake.wait()

    def _lead(self) -> None:
        try:
            self._run(self._take())
        finally:
            self._hand_over()

    def _take(self) -> list[_Item]:
        """The next batch; images that nobody wants any more are left out."""
        with self._lock:
            if self._max_delay_s:
                self._changed.wait_for(self._nothing_to_wait_for, self._max_delay_s)
            batch: list[_Item] = []
            while self._waiting and len(batch) < self.max_batch:
                item = self._waiting.pop(0)
                if item.ticket.valid:
                    if batch and (item.of_logits is None) != (batch[0].of_logits is None):
                        self._waiting.insert(0, item)
                        break
                    batch.append(item)
                else:
                    item.finish(Dropped())
            return batch

    def _nothing_to_wait_for(self) -> bool:
        return not self._coming or len(self._waiting) >= self.max_batch

    def _hand_over(self) -> None:
        with self._lock:
            for item in self._waiting:
                if not item.leads:
                    item.leads = True
                    item.wake.set()
                    return
            self._free += 1

    def _run(self, batch: list[_Item]) -> None:
        if not batch:
            return
        start = time.perf_counter()
        try:
            outputs = self._infer(batch)
        except DeviceError as error:
            for item in batch:
                item.finish(error)
        except Exception as error:  # an engine's exceptions have no common base
            if len(batch) == 1:
                batch[0].finish(_of_the_image(error))
            else:
                for item in batch:
                    self._run([item])
        else:
            self._on_batch(len(batch), time.perf_counter() - start)
            _share_out(batch, outputs, start, time.perf_counter())

    def _infer(self, batch: list[_Item]) -> Outputs:
        images = batch[0].image if len(batch) == 1 else np.concatenate([item.image for item in batch])
        if batch[0].of_logits is not None and self._engine.logits is not None:
            pairs = zip(batch, self._engine.logits(images), strict=True)
            return Outputs(np.stack([item.of_logits(logits) for item, logits in pairs if item.of_logits]), None)
        return self._engine.infer(images, any(item.confidence for item in batch))


def _of_the_image(error: Exception) -> Exception:
    if isinstance(error, UserError | MemoryError):
        return error
    failed = InferenceError(" ".join(str(error).split()))
    failed.__cause__ = error
    return failed


def _share_out(batch: list[_Item], outputs: Outputs, start: float, end: float) -> None:
    for index, item in enumerate(batch):
        confidence = outputs.confidence[index] if item.confidence and outputs.confidence is not None else None
        queue_ms, inference_ms = (start - item.since) * 1e3, (end - start) * 1e3
        item.finish(Inference(outputs.ids[index], confidence, queue_ms, inference_ms, len(batch)))
