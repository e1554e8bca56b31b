"""The layout `clips` on disk."""

from pathlib import Path

import pytest

from tests.train.data.moving_clips import write_clips


@pytest.fixture(scope="session")
def clips_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Read only: tests that break something make their own with `new_clips`."""
    return write_clips(tmp_path_factory.mktemp("data") / "clips")


@pytest.fixture
def new_clips(tmp_path: Path) -> Path:
    return write_clips(tmp_path / "clips")
