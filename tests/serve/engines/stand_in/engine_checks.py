"""What the TensorRT engine promises, on stand-ins for the driver and for TensorRT; started by test_tensorrt.py.

The library in between is the real one: pycuda or cuda-bindings, as STAND_IN_LIBRARY says.
"""

import ctypes
import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

if os.environ["STAND_IN_LIBRARY"] == "cuda-bindings":
    sys.modules["pycuda"] = None

from export.bundle import file_record, load_bundle, save_manifest
from export.manifest import Accuracy, InputSpec, Manifest, OutputSpec, PlanTarget, Profile
from serve.engines.choose import open_engine
from serve.engines.protocol import DeviceError
from serve.parity import check_parity
from train.errors import UserError

CUDA = ctypes.CDLL("libcuda.so.1")
ROLE = "trt_87_fp16"
OUT_OF_MEMORY, ILLEGAL_ADDRESS = 2, 700
PROFILES = [((1, 16, 24, 3), (4, 16, 24, 3), (4, 16, 24, 3)), ((1, 16, 24, 3), (2, 32, 48, 3), (8, 64, 96, 3))]
SHAPES = [(1, 16, 24), (4, 16, 24), (8, 32, 48), (3, 64, 96), (2, 16, 24), (5, 16, 24)]


@pytest.fixture
def write(tmp_path):
    """Write a bundle with one plan."""

    def write_bundle(plan=None, gpu="Stand-in", verified=True, confidence="confidence"):
        output = OutputSpec(confidence=confidence, logits="logits")
        default = json.dumps({"profiles": PROFILES, "outputs": output.names, "may_be_captured": True})
        path = tmp_path / "model.plan"
        path.write_text(plan or default)
        profiles = [Profile(min=low, opt=best, max=high) for low, best, high in PROFILES]
        target = PlanTarget(flavour="tensorrt", tensorrt="10.3.0", gpu=gpu, sm=["87"], profiles=profiles)
        accuracy = Accuracy(dataset="none", split="val", images=1, agreement=0.9975) if verified else None
        proof = {"verified": verified, "accuracy": accuracy}
        record = file_record(path, precision="fp16", runtime="tensorrt", built_for=target, **proof)
        manifest = Manifest(
            name="stand-in",
            created="2026-01-01T00:00:00Z",
            classes=["red", "green", "blue"],
            palette=[(255, 0, 0), (0, 255, 0), (0, 0, 255)],
            input=InputSpec(height=16, width=24, mean=[0], std=[1]),
            output=output,
            files={ROLE: record},
            student={"name": "none"},
        )
        save_manifest(tmp_path, manifest)
        return load_bundle(tmp_path)

    return write_bundle


@pytest.fixture(autouse=True)
def everything_is_given_back(request):
    before = CUDA.stand_in_live()
    yield
    CUDA.stand_in_recover()
    assert CUDA.stand_in_depth() == 0, "a context is still current"
    assert CUDA.stand_in_live() == before or "lost" in request.node.name


@pytest.fixture
def engine(write):
    opened = open_engine(write(), "tensorrt").engine
    yield opened
    opened.close()


def pictures(shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (*shape, 3), np.uint8)


@pytest.mark.parametrize("captured", [True, False], ids=["a CUDA graph", "no CUDA graph"])
def test_every_shape_of_every_profile(write, captured):
    names = OutputSpec(confidence="confidence", logits="logits").names
    plan = json.dumps({"profiles": PROFILES, "outputs": names, "may_be_captured": captured})
    engine = open_engine(write(plan), "tensorrt").engine
    for seed, shape in enumerate(SHAPES * 2):
        images = pictures(shape, seed)
        outputs = engine.infer(images, confidence=bool(seed % 2))
        np.testing.assert_array_equal(outputs.ids, images.argmax(-1))
        if seed % 2:
            np.testing.assert_array_equal(outputs.confidence, images.max(-1))
        else:
            assert outputs.confidence is None
    CUDA.stand_in_fail(b"cuGraphLaunch", ILLEGAL_ADDRESS)
    if captured:
        with pytest.raises(DeviceError, match="cuGraphLaunch: CUDA error 700"):
            engine.infer(pictures(SHAPES[0]))
    else:
        engine.infer(pictures(SHAPES[0]))
    engine.close()


def test_memory_is_allocated_once_for_each_shape(engine):
    for confidence in (False, True):
        engine.infer(pictures((1, 16, 24)), confidence)
    before = CUDA.stand_in_live()
    for seed in range(20):
        engine.infer(pictures((1, 16, 24), seed), confidence=True)
    assert CUDA.stand_in_live() == before


def test_a_bounded_number_of_shapes_keeps_its_memory(engine, monkeypatch):
    monkeypatch.setattr("serve.engines.tensorrt.MOST_SHAPES", 2)
    for shape in SHAPES[:2]:
        engine.infer(pictures(shape))
    before = CUDA.stand_in_live()
    for shape in SHAPES:
        images = pictures(shape)
        np.testing.assert_array_equal(engine.infer(images).ids, images.argmax(-1))
    assert CUDA.stand_in_live() == before


def test_batches_are_filled_up_so_that_few_shapes_come(engine):
    for count in range(1, 9):
        images = pictures((count, 32, 48), count)
        outputs = engine.infer(images, confidence=True)
        np.testing.assert_array_equal(outputs.ids, images.argmax(-1))
        assert outputs.confidence.shape == (count, 32, 48)
    assert [shape[0] for shape in engine._shapes] == [1, 2, 4, 8]


def test_threads_get_answers_of_their_own(engine):
    batches = [pictures(SHAPES[seed % len(SHAPES)], seed) for seed in range(40)]
    with ThreadPoolExecutor(8) as threads:
        for images, outputs in zip(batches, threads.map(engine.infer, batches), strict=True):
            np.testing.assert_array_equal(outputs.ids, images.argmax(-1))


def test_an_answer_is_the_callers_own(engine):
    first = engine.infer(pictures((1, 16, 24)))
    kept = first.ids.copy()
    engine.infer(pictures((1, 16, 24), seed=1))
    np.testing.assert_array_equal(first.ids, kept)


def test_images_of_any_layout_in_memory(engine):
    images = pictures((1, 16, 24))[:, ::-1, ::-1]
    np.testing.assert_array_equal(engine.infer(images).ids, images.argmax(-1))


def test_it_says_what_it_is(engine):
    library = os.environ["STAND_IN_LIBRARY"]
    assert (engine.name, engine.role, engine.device, engine.precision) == ("tensorrt", ROLE, "Stand-in", "fp16")
    assert engine.runtime.startswith(f"tensorrt 10.3.0, {library} ")
    assert engine.largest_batch == 8  # of the second profile, which takes the network's size too


@pytest.mark.parametrize("shape", [(9, 16, 24), (1, 8, 24), (1, 128, 96)])
def test_a_shape_outside_of_the_profiles_costs_that_batch_alone(engine, shape):
    with pytest.raises(UserError, match=r"takes images of .* build it with a --profile") as error:
        engine.infer(pictures(shape))
    assert not isinstance(error.value, DeviceError)
    engine.infer(pictures((1, 16, 24)))


@pytest.mark.parametrize("function", [b"cuMemAlloc", b"cuMemHostAlloc"])
def test_no_memory_left_costs_that_batch_alone(engine, function):
    engine.infer(pictures((1, 16, 24)))
    before = CUDA.stand_in_live()
    CUDA.stand_in_fail(function, OUT_OF_MEMORY)
    with pytest.raises(UserError, match="no memory left on the GPU") as error:
        engine.infer(pictures((4, 16, 24)))
    assert not isinstance(error.value, DeviceError)
    assert CUDA.stand_in_live() == before
    CUDA.stand_in_recover()
    engine.infer(pictures((4, 16, 24)))


@pytest.mark.parametrize("function", [b"cuStreamSynchronize", b"cuGraphLaunch"])
def test_a_lost_device_is_said_in_one_line(engine, function):
    engine.infer(pictures((1, 16, 24)))
    CUDA.stand_in_fail(function, ILLEGAL_ADDRESS)
    with pytest.raises(DeviceError, match=r"^the GPU is lost \(.*\): start the server again$"):
        engine.infer(pictures((1, 16, 24)))


def test_closing_when_the_device_is_lost(write):
    engine = open_engine(write(), "tensorrt").engine
    engine.infer(pictures((1, 16, 24)))
    CUDA.stand_in_fail(b"cuMemFree", ILLEGAL_ADDRESS)
    engine.close()


def test_a_plan_without_confidence(write):
    engine = open_engine(write(confidence=None), "tensorrt").engine
    with pytest.raises(UserError, match="gives no confidence"):
        engine.infer(pictures((1, 16, 24)), confidence=True)
    engine.close()


def test_what_tensorrt_says_is_in_the_error(write):
    plan = json.dumps({"profiles": PROFILES, "outputs": ["mask", "confidence", "other"], "may_be_captured": True})
    engine = open_engine(write(plan), "tensorrt").engine
    with pytest.raises(DeviceError, match=r"TensorRT cannot run the plan.*an address is missing"):
        engine.infer(pictures((1, 16, 24)))
    engine.close()


def test_a_file_that_is_no_plan(write):
    with pytest.raises(UserError, match=r"model\.plan: tensorrt 10\.3\.0.* cannot load it \(the magic tag"):
        open_engine(write("no plan"), "tensorrt")


def test_auto_takes_a_plan_that_is_proven_and_for_this_gpu(write):
    choice = open_engine(write())
    assert (choice.engine.name, choice.passed_over) == ("tensorrt", [])
    choice.engine.close()


@pytest.mark.parametrize(
    ("change", "reason"),
    [({"verified": False}, r"not verified: `python -m export\.verify"), ({"gpu": "Orin"}, r"built for Orin \(sm_87\)")],
)
def test_auto_says_why_it_takes_no_plan(write, change, reason):
    with pytest.raises(UserError, match=rf"tensorrt, file '{ROLE}': .*{reason}"):
        open_engine(write(**change))


def test_a_plan_asked_for_by_name_may_be_unproven(write):
    open_engine(write(verified=False), "tensorrt").engine.close()


def test_another_gpus_plan_is_refused(write):
    with pytest.raises(UserError, match=r"built for Orin .* but this is Stand-in \(sm_87\)"):
        open_engine(write(gpu="Orin"), "tensorrt")


def test_neither_library_is_installed(write, monkeypatch):
    monkeypatch.setitem(sys.modules, "pycuda.driver", None)
    monkeypatch.setitem(sys.modules, "cuda.bindings.driver", None)
    with pytest.raises(UserError, match=r"neither pycuda nor cuda-bindings is installed here: pip install"):
        open_engine(write(), "tensorrt")


def test_a_host_without_onnxruntime_goes_by_the_proof_of_the_plan(write, monkeypatch):
    for name in ("onnxruntime", "export.session"):
        monkeypatch.setitem(sys.modules, name, None)
    bundle = write()
    engine = open_engine(bundle, "tensorrt").engine
    assert check_parity(bundle, engine) == 0.9975
    with pytest.raises(UserError, match=r"is not verified, and there is no ONNX Runtime here"):
        check_parity(write(verified=False), engine)
    engine.close()
