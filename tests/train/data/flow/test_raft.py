"""RAFT's trained weights are not at hand: what is tested is everything but how well they see."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torchvision.models.optical_flow import Raft_Small_Weights, raft_small

from tests.train.data.moving_clips import moving_frames
from train.data.flow.raft import RaftEstimator
from train.errors import UserError

FILE = Path(Raft_Small_Weights.C_T_V2.url).name


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    return folder


def test_without_weights_nothing_is_downloaded(hub: Path) -> None:
    with pytest.raises(UserError) as caught:
        RaftEstimator()
    message = str(caught.value)
    assert message.startswith(f"{hub / FILE}: no weights of RAFT: download https://download.pytorch.org/models/")
    assert message.endswith("or set data.neighbour.provider to dis")
    assert list(hub.iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"no weights"])
def test_damaged_weights_are_named(hub: Path, content: bytes) -> None:
    (hub / FILE).write_bytes(content)
    with pytest.raises(UserError, match=r"no weights of RAFT small .*: download them again"):
        RaftEstimator()


def test_frames_of_any_size_give_flow_of_their_size(hub: Path) -> None:
    torch.manual_seed(0)
    network = raft_small()
    torch.save(network.state_dict(), hub / FILE)
    now, then = moving_frames(2, (130, 141))
    estimate = RaftEstimator()
    flow = estimate(now, then)
    assert (flow.shape, flow.dtype) == ((130, 141, 2), np.float32)
    assert np.isfinite(flow).all()
    assert np.array_equal(flow, RaftEstimator()(now, then))
    assert FILE.removesuffix(".pth") in estimate.name  # and so the cache knows these weights
