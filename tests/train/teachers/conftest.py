"""Tiny teachers of the tiny CamVid's classes."""

from pathlib import Path

import pytest

from tests.train.teachers.sources import write_lraspp, write_onnx, write_segformer
from train.data.camvid import CLASSES


@pytest.fixture(scope="session")
def segformer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_segformer(tmp_path_factory.mktemp("teachers") / "segformer", CLASSES)


@pytest.fixture(scope="session")
def lraspp(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_lraspp(tmp_path_factory.mktemp("teachers") / "lraspp.pth", len(CLASSES))


@pytest.fixture(scope="session")
def onnx_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """uint8 NHWC to class ids, as bundles are."""
    path = tmp_path_factory.mktemp("teachers") / "teacher.onnx"
    return write_onnx(path, len(CLASSES), layout="NHWC", dtype="uint8", decides=True)
