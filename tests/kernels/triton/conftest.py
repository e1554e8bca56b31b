"""These tests run Triton's interpreter, which must be chosen before any kernel is imported: `test_triton.py` does."""

import os

import pytest

if os.environ.get("TRITON_INTERPRET") != "1":
    collect_ignore_glob = ["test_*.py"]


@pytest.fixture(autouse=True)
def short_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that the tests' small maps have several: a row of a map of real size is longer than one."""
    from kernels.triton.channel_kl import Tile

    monkeypatch.setattr("kernels.triton.channel_kl.IN_ROWS", Tile(channels=1, pixels=16, blocks=2))
    monkeypatch.setattr("kernels.triton.channel_kl.CHANNELS_LAST", Tile(channels=4, pixels=4, blocks=2))
