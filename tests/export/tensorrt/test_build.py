"""Real plans from TensorRT for RTX, and what is said where there can be none."""

import signal
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper

from export.bundle import BundleError
from export.manifest import InputSpec
from export.tensorrt.build import BuildOptions, Built, build_plan
from export.tensorrt.flavour import TensorRt
from export.tensorrt.layers import count_precisions
from export.tensorrt.profile import default_profile, parse_profile
from export.tensorrt.progress import BuildProgress
from tests.export.tensorrt.graphs import HEIGHT, WIDTH, make_bundle, model, one_convolution, own_operation
from train.errors import UserError

SPEC = InputSpec(height=HEIGHT, width=WIDTH, multiple=16, mean=[0, 0, 0], std=[1, 1, 1])


def build(trt: TensorRt, onnx_path: Path, *profiles: str, **options: object) -> Built:
    chosen = [parse_profile(text, SPEC) for text in profiles] or [default_profile(SPEC)]
    settings = {"profiles": chosen, "sm": [], **options}
    return build_plan(trt, onnx_path, BuildOptions(**settings), "build", runs_here=False)  # type: ignore[arg-type]


def shapes(built: Built) -> list[str]:
    """The layers' inputs and outputs named image and mask."""
    texts = [layer["Inputs"] + layer["Outputs"] for layer in built.layers["Layers"]]
    return [text for text in texts if "Name: image," in text or "Name: mask," in text]


def test_a_plan_takes_and_gives_uint8_in_any_shape_of_its_profile(rtx: TensorRt, root: Path) -> None:
    built = build(rtx, root / "model.onnx", "1:2:4", "1x32x32:1:2x64x128")
    assert built.plan.startswith(b"vtrt")
    assert any("image, Dimensions: [-1," in text and "Datatype: UInt8" in text for text in shapes(built))
    assert any("mask, Dimensions: [-1," in text and "Datatype: UInt8" in text for text in shapes(built))


def test_a_profile_of_one_shape_fixes_it(rtx: TensorRt, root: Path) -> None:
    built = build(rtx, root / "model.onnx")
    assert any(f"image, Dimensions: [1,{HEIGHT},{WIDTH},3]" in text for text in shapes(built))


def test_a_fixed_graph_needs_no_profile(rtx: TensorRt, tmp_path: Path) -> None:
    built = build(rtx, make_bundle(tmp_path / "bundle", dynamic=False) / "model.onnx")
    assert any(f"mask, Dimensions: [1,{HEIGHT},{WIDTH}]" in text for text in shapes(built))


def test_the_layers_are_reported_with_their_precision(rtx: TensorRt, root: Path) -> None:
    built = build(rtx, root / "model.onnx")
    counted = count_precisions(built.layers)
    assert counted["fp32"] >= 1
    assert sum(counted.values()) <= len(built.layers["Layers"])
    assert "[ONNX Layer: conv]" in "".join(layer["Metadata"] for layer in built.layers["Layers"])
    assert not built.loaded


def test_compute_capabilities_can_be_chosen(rtx: TensorRt, root: Path) -> None:
    assert len(build(rtx, root / "model.onnx", sm=["86", "89"]).plan) > 0
    with pytest.raises(UserError, match=r"--sm 86,87: tensorrt_rtx [\d.]+ builds no plan for sm_87 \(it has: 75, 80, "):
        build(rtx, root / "model.onnx", sm=["86", "87"])


def test_no_dla_here(rtx: TensorRt, root: Path) -> None:
    with pytest.raises(UserError, match=r"--dla 0: tensorrt_rtx [\d.]+ finds 0 DLA cores on this machine"):
        build(rtx, root / "model.onnx", dla_core=0)


def test_scratch_memory_can_be_limited(rtx: TensorRt, root: Path) -> None:
    assert build(rtx, root / "model.onnx", workspace_mib=64).plan


def test_an_unknown_operation_is_named(rtx: TensorRt, tmp_path: Path) -> None:
    path = make_bundle(tmp_path / "bundle", own_operation()) / "model.onnx"
    with pytest.raises(BundleError, match=r"cannot take it: node 'mine' \(Segment\): .*Plugin not found") as error:
        build(rtx, path)
    assert "\n" not in str(error.value)


def test_a_refused_type_is_named(rtx: TensorRt, tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Transpose", ["image"], ["planes"], "uint8_transpose", perm=[0, 3, 1, 2]),
        helper.make_node("ReduceMax", ["planes", "axis"], ["mask"], "maximum", keepdims=0),
    ]
    path = make_bundle(tmp_path / "bundle", model(nodes, {"axis": np.array([1])})) / "model.onnx"
    with pytest.raises(BundleError, match=r"node 'uint8_transpose' \(Transpose\): .*type UInt8 but must have") as error:
        build(rtx, path)
    assert "\n" not in str(error.value)
    assert "cudaError" not in str(error.value)


def test_a_file_that_is_no_graph(rtx: TensorRt, tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"nonsense")
    with pytest.raises(BundleError, match=r"model\.onnx: .*Failed to parse the ONNX model") as error:
        build(rtx, tmp_path / "model.onnx")
    assert "\n" not in str(error.value)


def test_what_the_builder_refuses_is_its_first_error(rtx: TensorRt, tmp_path: Path) -> None:
    graph = one_convolution()
    graph.graph.input[0].type.tensor_type.shape.dim[3].dim_param = "channels"
    del graph.graph.node[2]  # without its convolution nothing says how many channels there are
    graph.graph.node[2].input[0] = "planes"
    onnx.save(graph, tmp_path / "model.onnx")
    options = BuildOptions(profiles=[], sm=[])
    with pytest.raises(UserError, match=r"cannot build it: .*no optimization profile has been defined") as error:
        build_plan(rtx, tmp_path / "model.onnx", options, "build", runs_here=False)
    assert "\n" not in str(error.value)


def test_ctrl_c_ends_a_build(rtx: TensorRt, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started = BuildProgress.start

    def press(self: BuildProgress, phase: str, parent: str | None, steps: int) -> None:
        signal.raise_signal(signal.SIGINT)
        started(self, phase, parent, steps)

    monkeypatch.setattr(BuildProgress, "start", press)
    with pytest.raises(KeyboardInterrupt):
        build(rtx, root / "model.onnx")
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
