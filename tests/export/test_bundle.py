"""A bundle is read as it was written, or refused in one line that names the file."""

import json

import pytest

from export.bundle import (
    MANIFEST,
    Accuracy,
    BundleError,
    InputSpec,
    Manifest,
    file_record,
    load_bundle,
    save_manifest,
    sha256,
)


@pytest.fixture
def root(tmp_path):
    (tmp_path / "model.onnx").write_bytes(b"a graph")
    manifest = Manifest(
        name="streets",
        created="2026-01-01T00:00:00Z",
        classes=["road", "sky"],
        palette=[(1, 2, 3), (4, 5, 6)],
        input=InputSpec(height=64, width=96, mean=[123.7, 116.3, 103.5], std=[58.4, 57.1, 57.4]),
        files={"onnx": file_record(tmp_path / "model.onnx")},
        accuracy=Accuracy(dataset="streets", split="val", images=3, agreement=0.9999),
        student={"name": "none"},
    )
    save_manifest(tmp_path, manifest)
    return tmp_path


def rewrite(root, **changes):
    data = json.loads((root / MANIFEST).read_text())
    (root / MANIFEST).write_text(json.dumps({**data, **changes}))


def test_a_manifest_comes_back_as_it_was_saved(root):
    bundle = load_bundle(root)
    assert bundle.manifest.palette == [(1, 2, 3), (4, 5, 6)]
    assert bundle.manifest.files["onnx"].size_bytes == 7
    save_manifest(root, bundle.manifest)
    assert load_bundle(root) == bundle
    assert sorted(path.name for path in root.iterdir()) == [MANIFEST, "model.onnx"]


def test_files_are_found_by_role(root):
    assert load_bundle(root).file("onnx") == root / "model.onnx"
    with pytest.raises(BundleError, match=r"no 'onnx_int8' file .*it has: onnx"):
        load_bundle(root).file("onnx_int8")


def test_the_hash_is_sha256(root):
    # printf 'a graph' | sha256sum
    assert sha256(root / "model.onnx") == "170df6144b15bdf1dced878e45ebdb2dac95d0b1a3bc68459434bbbd88681157"


def test_no_folder_and_no_manifest(tmp_path):
    with pytest.raises(BundleError, match="no bundle here"):
        load_bundle(tmp_path / "absent")
    with pytest.raises(BundleError, match="no bundle here"):
        load_bundle(tmp_path)


def test_a_changed_file(root):
    (root / "model.onnx").write_bytes(b"a grapH")
    with pytest.raises(BundleError, match=r"model\.onnx: its content is not what"):
        load_bundle(root)


def test_a_missing_file(root):
    (root / "model.onnx").unlink()
    with pytest.raises(BundleError, match=r"model\.onnx: missing"):
        load_bundle(root)


def test_a_path_out_of_the_bundle(root):
    outside = {"path": "../model.onnx", "precision": "fp32", "sha256": "0", "size_bytes": 1}
    rewrite(root, files={"onnx": outside})
    with pytest.raises(BundleError, match="outside the bundle"):
        load_bundle(root)


@pytest.mark.parametrize("text", ["", "{", "[]", '"text"', "null", b"\xff\xfe".decode("latin-1")])
def test_a_manifest_that_is_no_json_object(root, text):
    (root / MANIFEST).write_text(text, encoding="latin-1")
    with pytest.raises(BundleError, match=MANIFEST):
        load_bundle(root)


def test_a_newer_schema(root):
    rewrite(root, schema_version=2)
    with pytest.raises(BundleError, match="schema_version 2, this program reads 1"):
        load_bundle(root)


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"classes": 3}, "classes"),
        ({"colour": "blue"}, "colour"),
        ({"palette": [[0, 0, 256]]}, r"palette\.0\.2"),
        ({"input": {"height": 0}}, r"input\.\w+"),
    ],
)
def test_a_wrong_field_is_named(root, changes, where):
    rewrite(root, **changes)
    with pytest.raises(BundleError, match=rf"{MANIFEST}: {where}: "):
        load_bundle(root)
