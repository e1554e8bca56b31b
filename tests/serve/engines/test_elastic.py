"""Who runs alone gets the wide network, who runs beside another the narrow one."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from export.bundle import load_bundle
from serve.engines.choose import open_engine
from serve.engines.elastic import ElasticEngine
from serve.engines.onnx_runtime import OnnxRuntimeEngine
from serve.engines.protocol import Outputs

IMAGE = np.zeros((1, 2, 2, 3), np.uint8)


class Recorder:
    """Stands where a network would: each inference waits until it is let through."""

    name = role = precision = runtime = device = ""
    threads, largest_batch, prepares_shapes = 1, None, False

    def __init__(self) -> None:
        self.entered, self.passes, self.fails, self.closed = (
            threading.Semaphore(0),
            threading.Semaphore(0),
            False,
            False,
        )

    def infer(self, images: np.ndarray, confidence: bool = False) -> Outputs:
        assert not confidence
        self.entered.release()
        assert self.passes.acquire(timeout=10)
        if self.fails:
            raise RuntimeError
        return Outputs(images[..., 0], None)

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def both():
    return Recorder(), Recorder()


def test_the_second_of_two_is_narrow_and_a_lone_one_wide_again(both):
    wide, narrow = both
    engine = ElasticEngine(wide, narrow)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(engine.infer, IMAGE)
        assert wide.entered.acquire(timeout=10)
        second = pool.submit(engine.infer, IMAGE)
        assert narrow.entered.acquire(timeout=10)
        wide.passes.release()
        narrow.passes.release()
        assert first.result(10).ids.shape == second.result(10).ids.shape == (1, 2, 2)
        third = pool.submit(engine.infer, IMAGE)
        assert wide.entered.acquire(timeout=10)
        wide.passes.release()
        third.result(10)


def test_the_only_one_is_narrow_while_others_are_on_their_way(both):
    wide, narrow = both
    engine = ElasticEngine(wide, narrow)
    engine.crowded = lambda: True
    narrow.passes.release()
    engine.infer(IMAGE)
    engine.crowded = lambda: False
    wide.passes.release()
    engine.infer(IMAGE)


def test_after_a_failure_it_is_alone_again(both):
    wide, narrow = both
    engine = ElasticEngine(wide, narrow)
    wide.fails = True
    for _ in range(2):
        wide.passes.release()
        with pytest.raises(RuntimeError):
            engine.infer(IMAGE)


def test_both_are_closed(both):
    ElasticEngine(*both).close()
    assert [network.closed for network in both] == [True, True]


def test_a_bundle_on_several_threads_is_elastic_and_on_one_it_is_not(bundle):
    loaded = load_bundle(bundle)
    assert isinstance(open_engine(loaded, "onnxruntime", 1).engine, OnnxRuntimeEngine)
    elastic = open_engine(loaded, "onnxruntime", 2).engine
    assert isinstance(elastic, ElasticEngine)
    assert elastic.threads == 2


def test_logits_come_from_the_same_one_and_are_there_only_where_both_have_them(both):
    wide, narrow = both
    wide.logits = narrow.logits = None
    assert ElasticEngine(wide, narrow).logits is None
    wide.logits, narrow.logits = (lambda images: images + 1), (lambda images: images + 2)
    engine = ElasticEngine(wide, narrow)
    assert (engine.logits(IMAGE) == 1).all()
    engine.crowded = lambda: True
    assert (engine.logits(IMAGE) == 2).all()
