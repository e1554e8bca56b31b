from pathlib import Path
from typing import Any

import onnx
import pytest
import torch
from onnx import TensorProto, helper

from tests.train.teachers.sources import STRIDE, onnx_truth, write_onnx
from train.data.camvid import CLASSES
from train.errors import UserError
from train.models.network import SegmentationNetwork, is_opaque
from train.models.tap_shapes import TapShape, tap_shapes
from train.teachers.onnx import OnnxTeacher

IMAGES = torch.randint(0, 256, (3, 3, 32, 48), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))


def load(path: Path, **settings: Any) -> SegmentationNetwork:
    teacher = OnnxTeacher.model_validate({"kind": "onnx", "path": path, "multiple": STRIDE, **settings})
    return teacher.load(CLASSES).network


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
@pytest.mark.parametrize("dtype", ["uint8", "float32", "float16"])
@pytest.mark.parametrize("batch", ["any", 2])
def test_layout_and_type_are_read_from_the_file(tmp_path: Path, layout: str, dtype: str, batch: Any) -> None:
    path = write_onnx(tmp_path / "a.onnx", len(CLASSES), layout=layout, dtype=dtype, batch=batch)
    settings = {} if dtype == "uint8" else {"normalisation": {"name": "none"}}
    shown = load(path, **settings)(IMAGES)
    _, logits = onnx_truth(IMAGES, len(CLASSES))
    torch.testing.assert_close(shown.logits, logits, atol=2e-3 if dtype == "float16" else 1e-5, rtol=1e-4)


def test_a_graph_that_decides_teaches_with_the_logits_before(onnx_file: Path) -> None:
    hidden, logits = onnx_truth(IMAGES, len(CLASSES))
    network = load(onnx_file, taps={"stride:4": "seen", "fused": "seen", "module:first": "hidden"})
    shown = network(IMAGES, frozenset({"module:first", "logits"}))
    torch.testing.assert_close(shown.logits, logits, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(shown["stride:8"], hidden, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(shown["module:first"].relu(), shown.fused)
    assert tap_shapes(network, ["logits"]) == {"logits": TapShape(len(CLASSES), STRIDE)}
    assert is_opaque(network)


def test_normalisation_and_order_of_channels(tmp_path: Path) -> None:
    path = write_onnx(tmp_path / "a.onnx", len(CLASSES))
    network = load(path, normalisation={"mean": [10, 20, 30], "std": [2, 3, 4]}, colour="BGR")
    mean, std = torch.tensor([10.0, 20, 30]).view(1, 3, 1, 1), torch.tensor([2.0, 3, 4]).view(1, 3, 1, 1)
    _, logits = onnx_truth(((IMAGES - mean) / std).flip(1), len(CLASSES))
    torch.testing.assert_close(network(IMAGES).logits, logits, atol=1e-5, rtol=1e-4)


def test_a_graph_of_one_size_sees_all_images_at_it(tmp_path: Path) -> None:
    path = write_onnx(tmp_path / "a.onnx", len(CLASSES), dtype="uint8", size=(32, 48), batch=1)
    network = load(path)
    assert network.multiple == 1
    assert network(IMAGES[..., :24, :40]).logits.shape == (3, len(CLASSES), 8, 12)
    torch.testing.assert_close(network(IMAGES).logits, onnx_truth(IMAGES, len(CLASSES))[1], atol=1e-5, rtol=1e-4)


def test_maps_whose_channels_come_last(tmp_path: Path) -> None:
    path = write_onnx(tmp_path / "a.onnx", len(CLASSES), layout="NHWC", dtype="uint8", channels_last=True)
    torch.testing.assert_close(load(path)(IMAGES).logits, onnx_truth(IMAGES, len(CLASSES))[1], atol=1e-5, rtol=1e-4)


def test_networks_of_different_files_have_different_weights(tmp_path: Path) -> None:
    one = load(write_onnx(tmp_path / "a.onnx", len(CLASSES), dtype="uint8"))
    other = load(write_onnx(tmp_path / "b.onnx", len(CLASSES), layout="NHWC", dtype="uint8"))
    assert not torch.equal(one.get_buffer("digest"), other.get_buffer("digest"))


@pytest.mark.parametrize("taps", [{}, {"fused": "seen"}])
def test_weights_beside_the_graph_count(tmp_path: Path, taps: dict[str, str]) -> None:
    inside = write_onnx(tmp_path / "a.onnx", len(CLASSES), dtype="uint8")
    onnx.save(onnx.load(inside), tmp_path / "b.onnx", save_as_external_data=True, location="b.data", size_threshold=0)
    network = load(tmp_path / "b.onnx", taps=taps)
    torch.testing.assert_close(network(IMAGES).logits, load(inside)(IMAGES).logits)
    weights = tmp_path / "b.data"
    weights.write_bytes(weights.read_bytes()[:-4] + b"\0\0\0\0")
    changed = load(tmp_path / "b.onnx", taps=taps)
    assert not torch.equal(changed.get_buffer("digest"), network.get_buffer("digest"))
    weights.unlink()
    with pytest.raises(UserError, match=r"b\.onnx"):
        load(tmp_path / "b.onnx", taps=taps)


@pytest.mark.parametrize(
    ("graph", "settings", "reason"),
    [
        ({"classes": 7, "dtype": "uint8"}, {}, "of 7 classes, and 11 are meant"),
        ({}, {}, "takes float32, and how its images were normalised is not in the file"),
        ({"dtype": "uint8"}, {"normalisation": {"name": "unit"}}, "takes uint8, it normalises itself"),
        ({"dtype": "uint8"}, {"layout": "NHWC"}, "as NHWC it has"),
        ({"sizes_only": ["n", "c", "h", "w"], "dtype": "uint8"}, {}, "set teacher.layout, NCHW or NHWC"),
        ({"sizes_only": ["n", 1, 32, 32], "dtype": "uint8"}, {}, "no side of it is the 3 channels of RGB"),
        ({"sizes_only": ["n", 3, 32, "w"], "dtype": "uint8"}, {}, "only one side is fixed"),
        ({"dtype": "uint8"}, {"taps": {"fused": "sen"}}, "has no tensor 'sen': did you mean 'seen'?"),
        ({"dtype": "uint8", "decides": True}, {"logits": "ids"}, "not a map (N, D, h, w) of floats"),
    ],
)
def test_what_cannot_teach_is_said_in_one_line(
    tmp_path: Path, graph: dict[str, Any], settings: dict[str, Any], reason: str
) -> None:
    size = {"size": (32, 48)} if settings.get("layout") else {}
    path = write_onnx(tmp_path / "a.onnx", **{"classes": len(CLASSES), **size, **graph})
    with pytest.raises(UserError) as caught:
        load(path, **settings)
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_is_no_graph(tmp_path: Path) -> None:
    (tmp_path / "a.onnx").write_bytes(b"no graph")
    for path, reason in (
        (tmp_path / "a.onnx", "no ONNX graph"),
        (tmp_path / "b", "no such file"),
        (tmp_path, "no bundle"),
    ):
        with pytest.raises(UserError, match=reason):
            load(path)


def test_several_inputs_and_other_types(tmp_path: Path) -> None:
    path = tmp_path / "a.onnx"

    def write(kind: int, names: list[str], shape: tuple[Any, ...] = ("n", 3, "h", "w")) -> Path:
        inputs = [helper.make_tensor_value_info(name, kind, shape) for name in names]
        nodes = [helper.make_node("Identity", [names[0]], ["out"])]
        graph = helper.make_graph(nodes, "g", inputs, [helper.make_tensor_value_info("out", kind, None)])
        onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), path)
        return path

    with pytest.raises(UserError, match=r"has 2 inputs \(a, b\)"):
        load(write(TensorProto.FLOAT, ["a", "b"]))
    with pytest.raises(UserError, match=r"'a' is tensor\(int64\)"):
        load(write(TensorProto.INT64, ["a"]))
    with pytest.raises(UserError, match="no batch of images"):
        load(write(TensorProto.UINT8, ["a"], ("n", 3, "h")))
