"""Teacher, distilled student, bundle, server: what a client gets is what the student said in training."""

import io
from pathlib import Path

import numpy as np
from PIL import Image

from export.bundle import load_bundle
from tests.export.commands import export
from tests.serve.conftest import ServerProcess
from train.checkpoint import load_run
from train.data.open import open_dataset
from train.evaluation import predictions


def test_a_served_mask_is_the_students_own(student_run: Path, tmp_path: Path) -> None:
    export(student_run, tmp_path / "bundle")
    manifest = load_bundle(tmp_path / "bundle").manifest
    assert manifest.teacher is not None
    assert [loss["name"] for loss in manifest.method] == ["cross_entropy", "kd", "fckd"]
    trained = load_run(student_run)
    data = trained.config.data
    dataset = open_dataset(data, data.val_split)
    expected = [prediction.ids for prediction in predictions(trained.network, dataset, data.size)]
    server = ServerProcess(tmp_path / "bundle")
    try:
        for index, ids in enumerate(expected):
            answer = server.client.post("/segment", files={"image": _png(dataset[index].image)})
            assert answer.status_code == 200
            with Image.open(io.BytesIO(answer.content)) as mask:
                np.testing.assert_array_equal(np.asarray(mask), ids)
    finally:
        server.stop()


def _png(image: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG")
    return file.getvalue()
