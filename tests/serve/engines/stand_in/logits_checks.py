"""A plan of bare logits with the kernel behind it gives what the bundle's own graph gives; started by test_tensorrt.py.

ONNX Runtime stands in for TensorRT, and the kernel is the real one, compiled by g++.
"""

import json
import re
import struct

import numpy as np
import onnx
import onnxruntime
import pytest
from engine_checks import CUDA, ILLEGAL_ADDRESS, OUT_OF_MEMORY, everything_is_given_back, pictures

from export.bundle import file_record, load_bundle, save_manifest, sha256
from export.fp16 import to_fp16
from export.logits_graph import cut_at_logits
from export.manifest import BARE_LOGITS, DEFAULT_ROLE, OutputSpec, PlanTarget, Profile
from kernels.cuda.launch import LAUNCHES
from serve.engines.choose import open_engine
from serve.engines.protocol import DeviceError
from serve.parity import check_parity
from tests.export.tensorrt.graphs import make_bundle
from train.errors import UserError

WHOLE, BARE = "trt_87", "trt_87_logits"
LIMITS = (1, 16, 16, 3), (8, 64, 96, 3)
SHAPES = [(1, 32, 64), (4, 32, 64), (3, 64, 96), (1, 16, 16), (2, 32, 64)]
NEWER_CUDA = 222
__all__ = ["everything_is_given_back"]


def fatbin(chips=("sm_75", "sm_87"), names=tuple(LAUNCHES), magic=0xBA55ED50):
    """As the stand-in reads it."""
    text = " ".join([*chips, *names, ""]).encode()
    return struct.pack("<IHHQ", magic, 1, 16, len(text)) + text


@pytest.fixture
def write(tmp_path):
    """Write a bundle with a plan of each kind; the one of logits comes with the kernel in ``content``."""

    def write_bundle(precision="fp32", captured=True, content=None, confidence="confidence"):
        root = make_bundle(tmp_path / "bundle")
        graph = whole = onnx.load(root / "model.onnx")
        if precision == "fp16":
            graph = to_fp16(whole, root / "model.onnx")
        cut, dtype = cut_at_logits(graph, root / "model.onnx")
        assert dtype == precision
        files = {DEFAULT_ROLE: file_record(root / "model.onnx", verified=True)}
        for role, model, output in ((WHOLE, graph, "mask"), (BARE, cut, BARE_LOGITS)):
            onnx.save(model, root / f"{role}.onnx")
            profiles = [(LIMITS[0], LIMITS[0], LIMITS[1])]
            plan = {"profiles": profiles, "outputs": [output], "may_be_captured": captured}
            path = root / f"model.{role}.plan"
            path.write_text(json.dumps({**plan, "graph": str(root / f"{role}.onnx")}))
            low, best, high = profiles[0]
            profile = Profile(min=low, opt=best, max=high)
            target = PlanTarget(flavour="tensorrt", tensorrt="10.3.0", gpu="Stand-in", sm=["87"], profiles=[profile])
            fields = {"precision": precision, "runtime": "tensorrt", "built_for": target, "verified": True}
            if role == BARE:
                part = root / f"model.{role}.upsample_argmax.fatbin"
                part.write_bytes(fatbin() if content is None else content)
                fields |= {"logits": dtype, "parts": {part.name: sha256(part)}, "options": {"outputs": "logits"}}
            files[role] = file_record(path, **fields)
        manifest = load_bundle(root).manifest
        save_manifest(root, manifest.model_copy(update={"files": files, "output": OutputSpec(confidence=confidence)}))
        return load_bundle(root)

    return write_bundle


@pytest.fixture
def engine(write):
    opened = open_engine(write(), "tensorrt").engine
    yield opened
    opened.close()


def expected(bundle, images):
    """Class ids and confidence, of the graph in two halves: in one, ONNX Runtime leaves out a rounding to fp16."""
    (logits,) = run_graph(onnx.load(bundle.root / f"{BARE}.onnx"), [BARE_LOGITS], images)
    model = onnx.shape_inference.infer_shapes(onnx.load(bundle.file(DEFAULT_ROLE)))
    behind = onnx.utils.Extractor(model).extract_model(["logits"], ["mask", "large"])
    ids, large = run_graph(behind, ["mask", "large"], logits.astype(np.float32))
    return ids, np.rint(255 / np.exp(large - large.max(1, keepdims=True)).sum(1))


def run_graph(model, names, value):
    session = onnxruntime.InferenceSession(model.SerializeToString())
    return session.run(names, {session.get_inputs()[0].name: value})


@pytest.mark.parametrize("captured", [True, False], ids=["a CUDA graph", "no CUDA graph"])
@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_class_maps_and_confidence_are_the_graphs(write, precision, captured):
    bundle = write(precision, captured)
    choice = open_engine(bundle)
    assert (choice.engine.role, choice.passed_over) == (BARE, [])
    for seed, shape in enumerate(SHAPES * 2):
        images = pictures(shape, seed)
        outputs = choice.engine.infer(images, confidence=bool(seed % 2))
        ids, confidence = expected(bundle, images)
        assert len(np.unique(ids)) > 1
        np.testing.assert_array_equal(outputs.ids, ids)
        if precision == "fp32":
            np.testing.assert_array_equal(ids, *run_graph(onnx.load(bundle.file(DEFAULT_ROLE)), ["mask"], images))
        if seed % 2:
            assert np.abs(outputs.confidence - confidence).max() <= 1
        else:
            assert outputs.confidence is None
    assert check_parity(bundle, choice.engine) > {"fp32": 0.999, "fp16": 0.995}[precision]
    choice.engine.close()


def test_memory_is_allocated_once_for_each_shape(engine):
    for confidence in (False, True):
        engine.infer(pictures((1, 32, 64)), confidence)
    before = CUDA.stand_in_live()
    for seed in range(10):
        engine.infer(pictures((1, 32, 64), seed), confidence=bool(seed % 2))
    assert CUDA.stand_in_live() == before


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (fatbin(chips=["sm_75"]), r"it has no code for this GPU \(CUDA error 209\)"),
        (fatbin(magic=0), r"it is no fatbin \(CUDA error 200\)"),
        (fatbin(names=["upsample_argmax_f32"]), r"upsample_argmax_confidence_u8_f32: it has another version's kernels"),
    ],
)
def test_a_kernel_that_does_not_run_here_is_passed_over_for_the_whole_plan(write, content, reason):
    bundle = write(content=content, confidence=None)
    choice = open_engine(bundle)
    assert choice.engine.role == WHOLE
    (line,) = choice.passed_over
    assert line.startswith(f"tensorrt, file '{BARE}': ")
    assert "\n" not in line
    images = pictures((1, 32, 64))
    np.testing.assert_array_equal(choice.engine.infer(images).ids, expected(bundle, images)[0])
    choice.engine.close()
    assert re.search(reason, line), line
    assert line.endswith(f"`python -m export.trt {bundle.root} --outputs logits`")


def test_an_old_driver_is_named(write):
    CUDA.stand_in_fail(b"cuModuleLoadData", NEWER_CUDA)
    choice = open_engine(write())
    assert "the driver is older than the CUDA that made it" in choice.passed_over[0]
    choice.engine.close()


def test_a_kernel_that_is_not_in_the_bundle(write):
    bundle = write()
    record = bundle.record(BARE)
    (bundle.root / next(iter(record.parts))).unlink()
    with pytest.raises(UserError, match="upsample_argmax"):
        load_bundle(bundle.root)
    files = {**bundle.manifest.files, BARE: record.model_copy(update={"parts": {}})}
    save_manifest(bundle.root, bundle.manifest.model_copy(update={"files": files}))
    choice = open_engine(load_bundle(bundle.root))
    assert choice.engine.role == WHOLE
    assert "No such file" in choice.passed_over[0]
    choice.engine.close()


def test_a_launch_that_fails_is_a_lost_device(engine):
    CUDA.stand_in_fail(b"cuLaunchKernel", ILLEGAL_ADDRESS)
    with pytest.raises(DeviceError, match=r"^the GPU is lost \(upsample_argmax_f32: CUDA error 700\)"):
        engine.infer(pictures((1, 32, 64)))


def test_no_memory_left_costs_that_batch_alone(engine):
    before = CUDA.stand_in_live()
    CUDA.stand_in_fail(b"cuMemAlloc", OUT_OF_MEMORY)
    with pytest.raises(UserError, match="no memory left on the GPU"):
        engine.infer(pictures((4, 32, 64)))
    CUDA.stand_in_recover()
    assert CUDA.stand_in_live() == before
    engine.infer(pictures((4, 32, 64)))


def test_a_bundle_without_confidence_gives_none_here_either(write):
    engine = open_engine(write(confidence=None), "tensorrt").engine
    with pytest.raises(UserError, match="gives no confidence"):
        engine.infer(pictures((1, 32, 64)), confidence=True)
    engine.close()
