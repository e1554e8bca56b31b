"""Optical flow between two frames of a clip: known, estimated, read from files, or made up (no torch).

A `pair.FlowProvider` takes a `pair.FramePair` and gives a `Flow`; `provider.open_provider` opens the one that a config
names. Only `raft` and `tensor` need torch.
"""

from train.data.flow.field import Flow

__all__ = ["Flow"]
