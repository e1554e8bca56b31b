"""Threads share inferences: none waits for nothing, each gets its own result, a bad image fails alone."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from serve.batcher import Batcher, Inference, InferenceError
from serve.engines.protocol import DeviceError, Outputs
from serve.ticket import Dropped, Ticket

POISON = 255


class Gate:
    """An engine whose inferences wait until they are let through; what it is asked for is kept."""

    largest_batch = None

    def __init__(self, is_open: bool = False) -> None:
        self.batches: list[list[int]] = []
        self.entered = threading.Semaphore(0)
        self._pass = threading.Semaphore(0)
        self._open = is_open

    def let(self, count: int = 1) -> None:
        for _ in range(count):
            self._pass.release()

    def infer(self, images: np.ndarray, confidence: bool = False) -> Outputs:
        self.batches.append(images[:, 0, 0, 0].tolist())
        self.entered.release()
        if not self._open:
            assert self._pass.acquire(timeout=10)
        if (images == POISON).any():
            raise RuntimeError("poison")
        ids = images[..., 0]
        return Outputs(ids, ids + 1 if confidence else None)


class LogitsGate(Gate):
    """Its logits are the images."""

    def logits(self, images: np.ndarray) -> np.ndarray:
        self.infer(images)
        return images.transpose(0, 3, 1, 2).astype(np.float32)


def image(value: int) -> np.ndarray:
    return np.full((1, 2, 3, 3), value, np.uint8)


def start(pool: ThreadPoolExecutor, batcher: Batcher, values: list[int], timeout_s: float = 30):
    """The futures of images that wait, in this order."""
    futures = []
    for value in values:
        waiting = batcher.waiting
        futures.append(pool.submit(batcher.infer, image(value), Ticket(timeout_s)))
        while batcher.waiting == waiting:
            time.sleep(0.001)
    return futures


@pytest.fixture
def pool():
    with ThreadPoolExecutor(40) as threads:
        yield threads


def busy(pool: ThreadPoolExecutor, **options):
    """A batcher whose engine is at work on image 0."""
    engine = Gate()
    batcher = Batcher(engine, **options)
    first = pool.submit(batcher.infer, image(0), Ticket(30))
    assert engine.entered.acquire(timeout=10)
    return engine, batcher, first


def test_a_lone_image_runs_at_once_in_its_own_thread():
    result = Batcher(Gate(is_open=True)).infer(image(7), Ticket(10))
    assert isinstance(result, Inference)
    assert (result.ids == 7).all()
    assert result.ids.shape == (2, 3)
    assert result.batch == 1
    assert result.confidence is None


def test_what_waits_goes_in_together(pool):
    engine, batcher, first = busy(pool, max_batch=3)
    futures = start(pool, batcher, [1, 2, 3, 4])
    engine.let(3)
    assert [int(future.result(10).ids[0, 0]) for future in [first, *futures]] == [0, 1, 2, 3, 4]
    assert engine.batches == [[0], [1, 2, 3], [4]]
    assert [future.result().batch for future in futures] == [3, 3, 3, 1]
    assert futures[0].result().queue_ms > 0


def test_as_many_inferences_at_once_as_allowed(pool):
    engine = Gate()
    batcher = Batcher(engine, parallel=2, max_batch=1)
    futures = [pool.submit(batcher.infer, image(value), Ticket(30)) for value in range(5)]
    assert engine.entered.acquire(timeout=10)
    assert engine.entered.acquire(timeout=10)
    assert not engine.entered.acquire(timeout=0.1)
    engine.let(5)
    assert sorted(int(future.result(10).ids[0, 0]) for future in futures) == [0, 1, 2, 3, 4]


def test_many_threads_get_their_own_results_and_the_engine_is_free_afterwards(pool):
    engine = Gate(is_open=True)
    batcher = Batcher(engine, parallel=3, max_batch=4)
    for _ in range(20):
        results = list(pool.map(lambda value: int(batcher.infer(image(value), Ticket(30)).ids[0, 0]), range(40)))
        assert results == list(range(40))
    assert max(map(len, engine.batches)) <= 4
    for value in range(5):  # a slot that got lost would make one of these wait for ever
        assert batcher.infer(image(value), Ticket(1)).batch == 1


def test_a_bad_image_fails_alone(pool):
    engine, batcher, first = busy(pool)
    futures = start(pool, batcher, [1, POISON, 3])
    engine.let(5)
    assert [int(future.result(10).ids[0, 0]) for future in (first, futures[0], futures[2])] == [0, 1, 3]
    with pytest.raises(InferenceError, match="poison"):
        futures[1].result(10)
    assert engine.batches == [[0], [1, POISON, 3], [1], [POISON], [3]]


def test_a_lost_device_fails_the_whole_batch_once(pool):
    class Lost(Gate):
        def infer(self, images, confidence=False):
            super().infer(images, confidence)
            raise DeviceError("gone")

    engine = Lost()
    batcher = Batcher(engine)
    first = pool.submit(batcher.infer, image(0), Ticket(30))
    assert engine.entered.acquire(timeout=10)
    futures = start(pool, batcher, [1, 2])
    engine.let(2)
    for future in [first, *futures]:
        with pytest.raises(DeviceError):
            future.result(10)
    assert engine.batches == [[0], [1, 2]]


def test_what_nobody_waits_for_is_left_out(pool):
    engine, batcher, first = busy(pool)
    ticket = Ticket(30)
    left = pool.submit(batcher.infer, image(1), ticket)
    while batcher.waiting < 1:
        time.sleep(0.001)
    (late,) = start(pool, batcher, [2], timeout_s=0.01)
    (kept,) = start(pool, batcher, [3])
    ticket.cancel()
    time.sleep(0.02)
    engine.let(2)
    assert first.result(10).batch == kept.result(10).batch == 1
    for future in (left, late):
        with pytest.raises(Dropped):
            future.result(10)
    assert engine.batches == [[0], [3]]


def test_a_batch_waits_only_for_images_that_are_coming(pool):
    engine = Gate(is_open=True)
    batcher = Batcher(engine, max_batch=8, max_delay_s=20)
    begin = time.monotonic()
    batcher.infer(image(0), Ticket(30))
    assert time.monotonic() - begin < 5
    with batcher.coming():
        first = pool.submit(batcher.infer, image(1), Ticket(30))
        while batcher.waiting < 1:
            time.sleep(0.001)
        time.sleep(0.05)
        assert len(engine.batches) == 1
        second = pool.submit(batcher.infer, image(2), Ticket(30))
        while batcher.waiting < 2:
            time.sleep(0.001)
    assert first.result(10).batch == second.result(10).batch == 2
    assert engine.batches == [[0], [1, 2]]


def test_a_delay_ends():
    batcher = Batcher(Gate(is_open=True), max_delay_s=0.02)
    with batcher.coming():
        assert batcher.infer(image(1), Ticket(30)).batch == 1


def test_confidence_is_given_to_those_who_ask(pool):
    engine, batcher, first = busy(pool)
    sure = pool.submit(batcher.infer, image(1), Ticket(30), True)
    while batcher.waiting < 1:
        time.sleep(0.001)
    (plain,) = start(pool, batcher, [2])
    engine.let(2)
    first.result(10)
    assert (sure.result(10).confidence == 2).all()
    assert plain.result(10).confidence is None
    assert plain.result().batch == 2


def test_every_inference_is_reported():
    seen = []
    batcher = Batcher(Gate(is_open=True), on_batch=lambda images, seconds: seen.append((images, seconds > 0)))
    batcher.infer(image(0), Ticket(10))
    assert seen == [(1, True)]


def test_the_engines_largest_batch_holds():
    engine = Gate(is_open=True)
    engine.largest_batch = 1
    assert Batcher(engine, max_batch=8).max_batch == 1


def test_what_is_made_of_logits_goes_in_by_itself(pool):
    engine = LogitsGate()
    batcher = Batcher(engine, max_batch=8)
    assert batcher.gives_logits
    first = pool.submit(batcher.infer, image(1), Ticket(30))
    assert engine.entered.acquire(timeout=10)
    rest = start(pool, batcher, [2, 3])
    doubled = pool.submit(batcher.infer, image(4), Ticket(30), False, lambda logits: (2 * logits[0]).astype(np.uint8))
    while batcher.waiting < 3:
        time.sleep(0.001)
    last = start(pool, batcher, [5])
    engine.let(4)
    assert [int(future.result(10).ids[0, 0]) for future in [first, *rest, doubled, *last]] == [1, 2, 3, 8, 5]
    assert engine.batches == [[1], [2, 3], [4], [5]]
