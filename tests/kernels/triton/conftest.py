"""These tests run Triton's interpreter, which must be chosen before any kernel is imported: `test_triton.py` does."""

import os

import pytest

if os.environ.get("TRITON_INTERPRET") != "1":
    collect_ignore_glob = ["test_*.py"]


@pytest.fixture(autouse=True)
def short_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that the tests' small maps have several: a row of a map of real size is longer than one."""
    monkeypatch.setattr("kernels.triton.channel_kl._BLOCK", 16)
    monkeypatch.setattr("kernels.triton.channel_kl._BLOCKS_A_PIECE", 2)
