"""The engine that is asked for, or the best there is with the reason why it is not a better one."""

import numpy as np
import pytest

from export.bundle import load_bundle
from serve.engines.choose import open_engine
from train.errors import UserError


def test_auto_takes_what_runs_and_says_why_it_is_no_better(bundle):
    choice = open_engine(load_bundle(bundle))
    assert (choice.engine.name, choice.engine.role, choice.engine.device) == ("onnxruntime", "onnx", "cpu")
    reasons = dict(line.split(":", 1) for line in choice.passed_over)
    assert list(reasons) == ["tensorrt", "onnxruntime-cuda, file 'onnx'", "openvino"]
    assert "python -m export.trt" in reasons["tensorrt"]
    assert "segdistill[serve,gpu]" in reasons["onnxruntime-cuda, file 'onnx'"]


def test_the_engine_asked_for_is_opened_with_its_threads(bundle):
    choice = open_engine(load_bundle(bundle), "onnxruntime", threads=2)
    assert (choice.engine.name, choice.engine.threads, choice.passed_over) == ("onnxruntime", 2, [])


@pytest.mark.parametrize("name", ["tensorrt", "onnxruntime-cuda", "openvino"])
def test_one_that_is_not_to_be_had_is_an_error_that_says_what_to_do(bundle, name):
    with pytest.raises(UserError, match=rf"^{name}.*(export\.|install )"):
        open_engine(load_bundle(bundle), name)


def test_batches_of_any_size_go_through(bundle):
    images = np.random.default_rng(0).integers(0, 256, (3, 5, 7, 3), dtype=np.uint8)
    np.testing.assert_array_equal(open_engine(load_bundle(bundle)).engine.infer(images).ids, images.argmax(-1))
