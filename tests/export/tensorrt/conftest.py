from pathlib import Path

import pytest

from export.tensorrt.flavour import TensorRt
from tests.export.tensorrt.graphs import make_bundle


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A bundle with one dynamic graph."""
    return make_bundle(tmp_path / "bundle")


@pytest.fixture
def rtx() -> TensorRt:
    """TensorRT for RTX, which builds without a GPU."""
    module: TensorRt = pytest.importorskip("tensorrt_rtx")
    return module
