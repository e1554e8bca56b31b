"""A bundle is read as it was written, or refused in one line that names the file."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from export.bundle import (
    MANIFEST,
    BundleError,
    add_file,
    file_record,
    load_bundle,
    new_file,
    save_manifest,
    sha256,
    update_file,
)
from export.lock import locked
from export.manifest import Accuracy, InputSpec, Latency, Manifest, PlanTarget, Profile
from train.errors import UserError

ACCURACY = Accuracy(dataset="streets", split="val", images=3, agreement=0.9999)
LATENCY = Latency(
    scope="inference", device="cpu", runtime="none", threads=1, samples=3, p50_ms=1.0, p90_ms=2.0, p99_ms=3.0
)
# A program that enters as many files as it is told to, under roles of its own.
WRITER = """
import sys
from pathlib import Path
from export.bundle import add_file, file_record, load_bundle, new_file
root, name, count = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
source = load_bundle(root).manifest.files["onnx"].sha256
for number in range(count):
    with new_file(root / f"{name}{number}.onnx") as path:
        path.write_text(name)
        add_file(root, f"{name}{number}", path, file_record(path, source_sha256=source))
"""


@pytest.fixture
def root(tmp_path):
    (tmp_path / "model.onnx").write_bytes(b"a graph")
    manifest = Manifest(
        name="streets",
        created="2026-01-01T00:00:00Z",
        classes=["road", "sky"],
        palette=[(1, 2, 3), (4, 5, 6)],
        input=InputSpec(height=64, width=96, mean=[123.7, 116.3, 103.5], std=[58.4, 57.1, 57.4]),
        files={"onnx": file_record(tmp_path / "model.onnx", source_sha256="weights", verified=True, accuracy=ACCURACY)},
        student={"weights_sha256": "weights"},
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
    assert bundle.manifest.files["onnx"].accuracy == ACCURACY
    assert bundle.manifest.verified
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


def made(root, name, content=b"another graph", **fields):
    """A file that was written aside, in the bundle's folder until it is entered."""
    path = root / f".{name}"
    path.write_bytes(content)
    record = file_record(path, **fields).model_copy(update={"path": name})
    return path, record


def test_a_file_is_entered_beside_the_others(root):
    target = PlanTarget(
        flavour="tensorrt", tensorrt="10.3.0", gpu="Orin", sm=["87"], profiles=[Profile.model_validate(PROFILE)]
    )
    source = load_bundle(root).manifest.files["onnx"].sha256
    path, record = made(root, "model.plan", precision="fp16", source_sha256=source, built_for=target)
    add_file(root, "trt_87_fp16", path, record)
    files = load_bundle(root).manifest.files
    assert files["trt_87_fp16"].built_for == target
    assert files["onnx"].accuracy == ACCURACY
    assert sorted(path.name for path in root.iterdir()) == [MANIFEST, "model.onnx", "model.plan"]


PROFILE = {"min": (1, 64, 96, 3), "opt": (1, 64, 96, 3), "max": (4, 64, 96, 3)}


def test_a_profile_is_in_order():
    with pytest.raises(ValidationError, match=r"min .* <= opt .* <= max .* does not hold"):
        Profile.model_validate({**PROFILE, "opt": (8, 64, 96, 3)})


def test_a_file_of_an_earlier_export_is_not_entered(root):
    path, record = made(root, "model.int8.onnx", precision="int8", source_sha256="of another graph")
    with pytest.raises(BundleError, match=r"what model\.int8\.onnx was made from is not in it any more"):
        add_file(root, "onnx_int8", path, record)
    assert list(load_bundle(root).manifest.files) == ["onnx"]


def test_what_is_known_of_a_file_changes_and_the_rest_stays(root):
    digest = sha256(root / "model.onnx")
    update_file(root, "onnx", digest, lambda record: record.model_copy(update={"latency": [LATENCY]}))
    record = load_bundle(root).manifest.files["onnx"]
    assert (record.latency, record.accuracy, record.verified) == ([LATENCY], ACCURACY, True)


def test_a_proof_of_an_earlier_file_is_not_entered(root):
    with pytest.raises(BundleError, match=r"model\.onnx: made anew by another program meanwhile"):
        update_file(root, "onnx", "of another graph", lambda record: record)


def test_two_programs_at_once_lose_no_entry(root):
    command = [sys.executable, "-c", WRITER, str(root)]
    running = [subprocess.Popen([*command, name, "20"], cwd=Path(__file__).parents[2]) for name in ("a", "b")]
    assert [process.wait(60) for process in running] == [0, 0]
    assert len(load_bundle(root).manifest.files) == 41
    assert [path for path in root.parent.iterdir() if path.suffix == ".lock"] == []


def test_the_second_writer_is_told(root):
    with (
        locked(root, "onnx"),
        pytest.raises(UserError, match="another program is writing its onnx"),
        locked(root, "onnx", wait_s=0.1),
    ):
        pass
    with locked(root, "onnx", wait_s=0):
        pass


def test_a_full_disk_is_one_line_and_leaves_nothing(root):
    code = (
        "import resource, signal, sys; from pathlib import Path; from export.bundle import new_file;"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000));"
        "target = Path(sys.argv[1])\n"
        "with new_file(target) as path: path.write_bytes(bytes(5000))"
    )
    command = [sys.executable, "-c", code, str(root / "model.plan")]
    done = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False)
    message = done.stderr.strip().splitlines()[-1]
    assert message.endswith(f"model.plan: cannot be written ({os.strerror(27)}): make room and do it again")
    assert sorted(path.name for path in root.iterdir()) == [MANIFEST, "model.onnx"]


def test_what_was_not_moved_is_removed(root):
    with new_file(root / "model.plan") as path:
        path.write_text("half")
    assert sorted(path.name for path in root.iterdir()) == [MANIFEST, "model.onnx"]


@pytest.mark.parametrize("changes", [{"classes": ["sky", "road"]}, {"licence_note": "free"}, {"seal": ""}])
def test_a_change_by_hand_is_seen(root, changes):
    rewrite(root, **changes)
    with pytest.raises(BundleError, match=r"manifest\.json: changed by hand since it was written"):
        load_bundle(root)


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
    manifest = load_bundle(root).manifest
    outside = manifest.files["onnx"].model_copy(update={"path": "../model.onnx"})
    save_manifest(root, manifest.model_copy(update={"files": {"onnx": outside}}))
    with pytest.raises(BundleError, match="outside the bundle"):
        load_bundle(root)


@pytest.mark.parametrize("text", ["", "{", "[]", '"text"', "null", b"\xff\xfe".decode("latin-1")])
def test_a_manifest_that_is_no_json_object(root, text):
    (root / MANIFEST).write_text(text, encoding="latin-1")
    with pytest.raises(BundleError, match=MANIFEST):
        load_bundle(root)


def test_a_newer_schema(root):
    rewrite(root, schema_version=3)
    with pytest.raises(BundleError, match="schema_version 3, this program reads 2"):
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
