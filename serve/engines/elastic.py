"""All threads for a lone inference, one for each of several at once."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray

from serve.engines.protocol import Engine, Logits, Outputs


class ElasticEngine:
    """The same network twice on the CPU: ``wide`` on several threads, ``narrow`` on one.

    One inference on two threads is sooner done than on one; two inferences are sooner done on a thread each than one
    after the other on two, since threads that share a layer wait for each other, and spin while they do.
    """

    def __init__(self, wide: Engine, narrow: Engine) -> None:
        self.crowded: Callable[[], bool] = lambda: False
        """Whether other images are on their way, so that the only one in a network should be narrow all the same."""
        self._wide = wide
        self._narrow = narrow
        self._running = 0
        self._lock = threading.Lock()
        self.name, self.role, self.precision = wide.name, wide.role, wide.precision
        self.runtime, self.device, self.threads = wide.runtime, wide.device, wide.threads
        self.largest_batch, self.prepares_shapes = wide.largest_batch, wide.prepares_shapes

    @property
    def logits(self) -> Logits | None:
        """Of the two, where they give them."""
        return None if self._wide.logits is None else self._logits

    def infer(self, images: NDArray[np.uint8], confidence: bool = False) -> Outputs:
        """RGB ``(N, h, w, 3)`` to class ids."""
        with self._fitting() as engine:
            return engine.infer(images, confidence)

    def _logits(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        with self._fitting() as engine:
            assert engine.logits is not None
            return engine.logits(images)

    @contextmanager
    def _fitting(self) -> Iterator[Engine]:
        with self._lock:
            engine = self._narrow if self._running or self.crowded() else self._wide
            self._running += 1
        try:
            yield engine
        finally:
            with self._lock:
                self._running -= 1

    def close(self) -> None:
        """Free both."""
        self._wide.close()
        self._narrow.close()
