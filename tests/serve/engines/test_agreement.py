"""Every engine of a bundle gives the same class map, to each thread its own."""

from concurrent.futures import ThreadPoolExecutor
from typing import get_args

import numpy as np
import pytest

from export.bundle import Bundle
from export.manifest import MIN_AGREEMENT
from serve.engines.choose import open_engine
from serve.engines.protocol import Engine, EngineName
from tests.serve.engines.conftest import pictures
from train.errors import UserError

HERE = ("onnxruntime", "openvino")
THREADS = 8


@pytest.fixture(scope="module", params=HERE)
def engine(request: pytest.FixtureRequest, network_bundle: Bundle) -> Engine:
    return open_engine(network_bundle, request.param).engine


def test_the_engines_agree_on_ids_and_confidence(network_bundle: Bundle) -> None:
    ours, reference = (open_engine(network_bundle, name).engine for name in ("openvino", "onnxruntime"))
    for shape in ((1, 64, 96), (3, 64, 96), (2, 96, 128)):
        images = pictures(*shape)
        outputs, expected = ours.infer(images, confidence=True), reference.infer(images, confidence=True)
        assert len(np.unique(expected.ids)) > 1
        assert (outputs.ids == expected.ids).mean() >= MIN_AGREEMENT["fp32"]
        assert outputs.confidence is not None
        assert expected.confidence is not None
        assert np.abs(outputs.confidence.astype(int) - expected.confidence).max() <= 1


def test_threads_get_their_own_answers(engine: Engine) -> None:
    batches = [pictures(1 + index % 3, seed=index) for index in range(THREADS)]
    expected = [engine.infer(batch, confidence=True) for batch in batches]
    assert len({outputs.ids.tobytes() for outputs in expected}) == THREADS
    with ThreadPoolExecutor(THREADS) as threads:
        for index, outputs in threads.map(lambda k: (k % THREADS, engine.infer(batches[k % THREADS], True)), range(48)):
            np.testing.assert_array_equal(outputs.ids, expected[index].ids)
            np.testing.assert_array_equal(outputs.confidence, expected[index].confidence)


def test_the_answer_stays_when_the_next_one_comes(engine: Engine) -> None:
    first = engine.infer(pictures(1))
    kept = first.ids.copy()
    engine.infer(pictures(1, seed=1))
    np.testing.assert_array_equal(first.ids, kept)


def test_confidence_is_given_where_it_is_asked_for_only(engine: Engine) -> None:
    assert engine.infer(pictures(1)).confidence is None
    outputs = engine.infer(pictures(1), confidence=True)
    assert outputs.confidence is not None
    assert outputs.ids.shape == outputs.confidence.shape == (1, 64, 96)
    assert outputs.ids.dtype == outputs.confidence.dtype == np.uint8
    assert outputs.confidence.min() >= 255 // 5  # of five classes the likeliest


def test_an_engine_says_what_it_is(engine: Engine) -> None:
    assert engine.name in get_args(EngineName)
    assert engine.runtime.startswith(f"{engine.name} ")
    assert (engine.device, engine.threads, engine.precision, engine.largest_batch) == ("cpu", 1, "fp32", None)


def test_openvino_keeps_a_bounded_number_of_shapes(network_bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("serve.engines.openvino.MOST_COMPILED", 2)
    engine = open_engine(network_bundle, "openvino").engine
    expected = engine.infer(pictures(1)).ids
    for count in (2, 3):
        engine.infer(pictures(count))
    assert len(engine._compiled) == 2  # type: ignore[attr-defined]
    np.testing.assert_array_equal(engine.infer(pictures(1)).ids, expected)


@pytest.mark.parametrize("name", HERE)
def test_confidence_that_the_bundle_has_not(bundle_without_confidence: Bundle, name: EngineName) -> None:
    with pytest.raises(UserError, match=r"gives no confidence: export it with .*--confidence"):
        open_engine(bundle_without_confidence, name).engine.infer(pictures(1), confidence=True)
