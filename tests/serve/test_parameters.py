"""What a client may ask for: classes, size, confidence, several images, one of several models."""

import io
import zipfile

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from export.bundle import load_bundle, save_manifest
from export.manifest import OutputSpec
from train.data.resize import resize_ids, resize_image

RAW = {"Accept": "application/octet-stream"}
NPY = {"Accept": "application/x-npy"}


def sure() -> onnx.ModelProto:
    """The index of each pixel's largest channel, and that channel as its confidence."""
    nodes = [
        helper.make_node("Cast", ["image"], ["values"], to=TensorProto.FLOAT),
        helper.make_node("ArgMax", ["values"], ["index"], axis=3, keepdims=0),
        helper.make_node("Cast", ["index"], ["mask"], to=TensorProto.UINT8),
        helper.make_node("ReduceMax", ["values"], ["largest"], axes=[3], keepdims=0),
        helper.make_node("Cast", ["largest"], ["confidence"], to=TensorProto.UINT8),
    ]
    image = helper.make_tensor_value_info("image", TensorProto.UINT8, ["n", "h", "w", 3])
    outputs = [
        helper.make_tensor_value_info(name, TensorProto.UINT8, ["n", "h", "w"]) for name in ("mask", "confidence")
    ]
    graph = helper.make_graph(nodes, "sure", [image], outputs)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


@pytest.fixture(scope="module")
def two(tmp_path_factory, bundle, make_bundle, server_process):
    """A server of two models, the second of which tells its confidence."""
    root = make_bundle(tmp_path_factory.mktemp("two") / "sure", sure())
    manifest = load_bundle(root).manifest
    save_manifest(root, manifest.model_copy(update={"output": OutputSpec(confidence="confidence")}))
    running = server_process(bundle, f"other={root}")
    yield running
    assert running.stop()[0] == 0


@pytest.fixture
def large() -> np.ndarray:
    return np.random.default_rng(3).integers(0, 256, (90, 70, 3), dtype=np.uint8)


def raw(answer) -> np.ndarray:
    assert answer.status_code == 200, answer.text
    return np.frombuffer(answer.content, np.uint8).reshape(
        tuple(map(int, answer.headers["segdistill-shape"].split(",")))
    )


def test_the_networks_size(server, large, encode):
    ids = raw(server.client.post("/segment?size=network", content=encode(large), headers=RAW))
    np.testing.assert_array_equal(ids, resize_image(large, (48, 64)).argmax(-1))
    own = raw(server.client.post("/segment", content=encode(large), headers=RAW))
    np.testing.assert_array_equal(own, resize_ids(ids, (90, 70)))


@pytest.mark.parametrize("classes", ["blue,0", "red, blue"])
def test_only_some_classes(server, image, encode, classes):
    ids = raw(server.client.post("/segment", params={"classes": classes}, content=encode(image), headers=RAW))
    expected = image.argmax(-1).astype(np.uint8)
    np.testing.assert_array_equal(ids, np.where(expected == 1, 255, expected))


def test_only_some_classes_in_json(server, image, encode):
    answer = server.client.post("/segment?classes=green", content=encode(image), headers={"Accept": "application/json"})
    assert [entry["name"] for entry in answer.json()["classes"] if entry["name"]] == ["green"]


@pytest.mark.parametrize(
    ("query", "detail"),
    [
        ("classes=gren", "did you mean 'green'?"),
        ("size=small", "size"),
        ("tolerance=-1", "tolerance"),
        ("tolerance=nan", "tolerance"),
        ("confidence=true", "gives no confidence: export it with `python -m export.onnx … --confidence`"),
    ],
)
def test_what_cannot_be_is_named(server, image, encode, query, detail):
    answer = server.client.post(f"/segment?{query}", content=encode(image))
    assert answer.status_code == 422
    assert answer.json()["type"] == "urn:segdistill:problem:invalid-parameter"
    assert detail in answer.json()["detail"]


def test_a_model_by_its_name(two, image, encode):
    assert two.client.get("/models").json() == {"default": "bundle", "models": ["bundle", "other"]}
    assert two.client.get("/model?model=other").json()["manifest"]["output"]["confidence"] == "confidence"
    ids, confidence = np.load(
        io.BytesIO(two.client.post("/segment?model=other&confidence=true", content=encode(image), headers=NPY).content)
    )
    np.testing.assert_array_equal(ids, image.argmax(-1))
    np.testing.assert_array_equal(confidence, image.max(-1))


def test_a_model_that_is_not_there(two, image, encode):
    for answer in (two.client.post("/segment?model=x", content=encode(image)), two.client.get("/model?model=x")):
        assert answer.status_code == 404
        assert answer.json()["detail"] == "no model 'x': there is bundle, other"


def test_confidence_in_json_is_a_mean_for_each_class(two, encode):
    image = np.zeros((48, 64, 3), np.uint8)
    image[:24, :, 0] = 255
    image[24:, :, 2] = 51
    answer = two.client.post(
        "/segment?model=other&confidence=true", content=encode(image), headers={"Accept": "application/json"}
    ).json()
    assert {entry["name"]: entry["confidence"] for entry in answer["classes"]} == {"red": 1.0, "blue": 0.2}


def test_a_png_has_no_room_for_confidence(two, image, encode):
    answer = two.client.post(
        "/segment?model=other&confidence=true", content=encode(image), headers={"Accept": "image/png"}
    )
    assert answer.status_code == 406
    assert "accept one of application/json, application/x-npy" in answer.json()["detail"]


def several(*images: bytes) -> list[tuple[str, tuple[str, bytes]]]:
    return [("image", (f"{number}.png", data)) for number, data in enumerate(images)]


def test_several_images_come_back_in_a_zip_and_a_bad_one_fails_alone(server, image, large, encode):
    files = several(encode(image), b"no image", encode(large))
    answer = server.client.post("/segment", files=files, headers=NPY)
    assert answer.headers["content-type"] == "application/zip"
    archive = zipfile.ZipFile(io.BytesIO(answer.content))
    assert archive.namelist() == ["0.npy", "1.problem.json", "2.npy"]
    np.testing.assert_array_equal(np.load(io.BytesIO(archive.read("0.npy"))), image.argmax(-1))
    assert np.load(io.BytesIO(archive.read("2.npy"))).shape == (90, 70)
    assert b'"status":415' in archive.read("1.problem.json")


def test_several_images_in_json(server, image, encode):
    files = several(encode(image), encode(image)[:60])
    first, second = server.client.post("/segment", files=files, headers={"Accept": "application/json"}).json()["images"]
    assert (first["height"], first["width"]) == (48, 64)
    assert second["status"] == 422


def test_a_parameter_that_there_is_not_is_named_with_the_nearest(server, image, encode):
    answer = server.client.post("/segment?clases=red", content=encode(image))
    assert answer.status_code == 422
    assert answer.json()["detail"] == "no parameter 'clases': did you mean 'classes'?"


def test_a_class_of_five_thousand_digits(server, image, encode):
    answer = server.client.post("/segment", params={"classes": "1" * 5000}, content=encode(image))
    assert answer.status_code == 422


def test_a_path_with_a_slash_too_many_is_not_led_elsewhere(server, image, encode):
    answer = server.client.post("/segment/", content=encode(image))
    assert answer.status_code == 404
    assert "location" not in answer.headers


def test_probes_may_ask_for_the_head_alone(server):
    for path in ("/healthz", "/readyz"):
        assert server.client.head(path).status_code == 200
