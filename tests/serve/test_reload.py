"""A bundle made anew takes over once it has proven itself; what is unsound does not, and what fails goes back."""

import shutil
import time

import numpy as np
import pytest

from export.bundle import load_bundle, save_manifest
from export.manifest import Manifest
from serve.engines.protocol import Outputs
from serve.models import Model, Models, load_model
from serve.reload import PROBATION, Reloader, signature
from serve.settings import Settings
from tests.serve.tiny_bundles import constant, put


@pytest.fixture
def root(tmp_path, make_bundle):
    return make_bundle(tmp_path / "bundle")


@pytest.fixture
def ones(tmp_path, make_bundle):
    """Another bundle, which says class 1 of every pixel."""
    return make_bundle(tmp_path / "ones", constant(1))


@pytest.fixture
def switched():
    return []


@pytest.fixture
def reloader(root, switched):
    def load(name, path) -> Model:
        return load_model(name, path, Settings(threads=1), lambda *_: None)

    models = Models({"streets": load("streets", root)})
    return Reloader(models, load, switched.append)


def classes(reloader: Reloader) -> set[int]:
    model = reloader._models["streets"]
    image = np.random.default_rng(0).integers(0, 256, (1, 48, 64, 3), dtype=np.uint8)
    return set(np.unique(model.choice.engine.infer(image).ids).tolist())


def test_nothing_happens_while_nothing_changes(reloader, switched):
    before = reloader._models["streets"]
    reloader.look("streets")
    assert reloader._models["streets"] is before
    assert switched == []


def test_a_new_bundle_takes_over(reloader, root, ones, switched):
    assert classes(reloader) == {0, 1, 2}
    put(root, ones)
    reloader.look("streets")
    assert classes(reloader) == {1}
    assert switched == [reloader._models["streets"]]
    assert reloader.errors == {}


def test_a_damaged_bundle_does_not_and_the_reason_stands(reloader, root, ones, switched):
    before = reloader._models["streets"]
    shutil.copy(ones / "model.onnx", root / "model.onnx")  # its manifest is still to come
    reloader.look("streets")
    assert reloader._models["streets"] is before
    assert "sha256" in reloader.errors["streets"]
    put(root, ones)
    reloader.look("streets")
    assert classes(reloader) == {1}
    assert reloader.errors == {}
    assert len(switched) == 1


def test_a_bundle_that_was_removed_goes_on_being_served(reloader, root):
    shutil.rmtree(root)
    reloader.look("streets")
    assert classes(reloader) == {0, 1, 2}
    assert "no bundle here" in reloader.errors["streets"]


def test_a_bundle_whose_engine_gives_other_class_maps_does_not_take_over(reloader, root, ones, monkeypatch):
    put(root, ones)
    engine = type(reloader._models["streets"].choice.engine)

    def infer(_, images, confidence=False) -> Outputs:
        assert not confidence
        return Outputs(np.zeros(images.shape[:3], np.uint8), None)

    monkeypatch.setattr(engine, "infer", infer)
    reloader.look("streets")
    assert "gives the class of the fp32 graph for 0.0000 of the pixels" in reloader.errors["streets"]


def test_one_that_fails_on_probation_is_rolled_back(reloader, root, ones, switched):
    before = reloader._models["streets"]
    put(root, ones)
    reloader.look("streets")
    new = reloader._models["streets"]
    for _ in range(PROBATION - 1):
        reloader.answered(new)
    assert reloader.failed(new, RuntimeError("out of\nmemory"))
    assert reloader._models["streets"] is before
    assert classes(reloader) == {0, 1, 2}
    assert reloader.errors["streets"] == "rolled back, the new bundle failed: out of memory"
    assert switched == [new, before]
    assert not reloader.failed(before, RuntimeError("again")), "there is nothing to go back to"


def test_after_probation_there_is_no_way_back(reloader, root, ones):
    former = reloader._models["streets"]
    put(root, ones)
    reloader.look("streets")
    new = reloader._models["streets"]
    for _ in range(PROBATION):
        reloader.answered(new)
    assert not reloader.failed(new, RuntimeError("late"))
    assert former.retired


def test_a_model_in_use_is_closed_when_its_last_user_is_done(reloader, root, ones, monkeypatch):
    models = reloader._models
    closed = []
    monkeypatch.setattr(type(models["streets"].choice.engine), "close", lambda self: closed.append(self))
    former = models["streets"]
    with models.use("streets") as used:
        assert used is former
        put(root, ones)
        reloader.look("streets")
        reloader.answered(models["streets"])
        models.retire(former)
        assert closed == []
    assert closed == [former.choice.engine]


def test_whatever_goes_wrong_the_watch_goes_on(reloader, root, ones):
    load = reloader._load

    def no_right_to_read(*_):
        raise PermissionError(13, "Permission denied")

    put(root, ones)
    reloader._load = no_right_to_read
    reloader.look("streets")
    assert "Permission denied" in reloader.errors["streets"]
    reloader._load = load
    (root / "touched").touch()
    reloader.look("streets")
    assert classes(reloader) == {1}


def test_an_error_is_forgotten_when_the_bundle_is_put_back(reloader, root, ones, tmp_path):
    kept = shutil.copytree(root, tmp_path / "kept")
    shutil.copy(ones / "model.onnx", root / "model.onnx")
    reloader.look("streets")
    assert reloader.errors
    put(root, kept)
    reloader.look("streets")
    assert reloader.errors == {}
    assert classes(reloader) == {0, 1, 2}


def test_the_signature_follows_the_files(root):
    before = signature(root)
    manifest = load_bundle(root).manifest
    save_manifest(root, Manifest.model_validate({**manifest.model_dump(), "licence_note": "mine"}))
    assert signature(root) != before


def test_a_running_server_takes_a_new_bundle_without_a_lost_request(root, ones, server_process, image, encode):
    running = server_process(root, "--reload-s", "0.1")
    data, answers = encode(image), set()
    put(root, ones)
    end = time.monotonic() + 20
    while b"done" not in answers and time.monotonic() < end:
        answer = running.client.post("/segment", content=data, headers={"Accept": "application/octet-stream"})
        assert answer.status_code == 200
        answers.add(answer.content)
        if set(answer.content) == {1}:
            answers.add(b"done")
    assert len(answers) == 3, "the old map, the new one, and the mark"
    assert running.client.get("/model").json()["reload_error"] is None
    code, errors = running.stop()
    assert code == 0
    assert "switched to the bundle of" in errors
