"""Memory that stays bound to a session: the same answers, shape after shape. Bound on the CPU, as no GPU is here."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from export.bundle import Bundle
from export.session import open_session
from serve.engines.io_binding import BoundSession
from serve.engines.onnx_runtime import _DEVICE_LOST
from tests.serve.engines.conftest import pictures


@pytest.fixture
def session(network_bundle: Bundle) -> object:
    return open_session(network_bundle.file("onnx"), 1, ["CPUExecutionProvider"])


def test_it_gives_what_an_unbound_session_gives(session, monkeypatch):
    monkeypatch.setattr("serve.engines.io_binding.MOST_SHAPES", 2)
    bound = BoundSession(session, "image", "cpu")
    for index, names in enumerate((["mask"], ["mask", "confidence"], ["mask"]) * 2):
        images = pictures(1 + index % 3, seed=index)
        for output, expected in zip(bound.run(names, images), session.run(names, {"image": images}), strict=True):
            np.testing.assert_array_equal(output, expected)


def test_threads_get_answers_of_their_own(session):
    bound = BoundSession(session, "image", "cpu")
    batches = [pictures(1, seed=seed) for seed in range(8)]
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda images: bound.run(["mask"], images)[0], batches))
    for images, answer in zip(batches, answers, strict=True):
        np.testing.assert_array_equal(answer, session.run(["mask"], {"image": images})[0])


@pytest.mark.parametrize(
    ("message", "is_lost"),
    [
        ("CUDA failure 700: an illegal memory access was encountered ; GPU=0", True),
        ("CUDNN failure 5000: CUDNN_STATUS_EXECUTION_FAILED", True),
        ("CUDA failure 2: out of memory ; GPU=0", False),
        ("Got invalid dimensions for input: image", False),
    ],
)
def test_which_errors_mean_that_the_device_is_lost(message: str, is_lost: bool) -> None:
    assert bool(_DEVICE_LOST.search(message)) == is_lost
