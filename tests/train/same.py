"""Whether two runs are the same, bit for bit."""

from typing import Any

import torch

from train.checkpoint_files import load_state, load_weights
from train.run_directory import RunDirectory


def assert_same_tensors(left: Any, right: Any, where: str = "") -> None:
    assert type(left) is type(right), where
    if isinstance(left, torch.Tensor):
        assert torch.equal(left, right), where
    elif isinstance(left, dict):
        assert left.keys() == right.keys(), where
        for key in left:
            assert_same_tensors(left[key], right[key], f"{where}/{key}")
    elif isinstance(left, list):
        assert len(left) == len(right), where
        for index, pair in enumerate(zip(left, right, strict=True)):
            assert_same_tensors(*pair, f"{where}/{index}")
    else:
        assert left == right, where


def assert_same_run(ours: RunDirectory, theirs: RunDirectory) -> None:
    for which in ("last", "best"):
        left, right = ours.checkpoint(which), theirs.checkpoint(which)
        assert left.resolve().name == right.resolve().name
        assert_same_tensors(load_weights(left), load_weights(right), which)
        assert_same_tensors(load_state(left), load_state(right), which)
    assert lines(ours) == lines(theirs)
    assert (ours.root / "report.html").is_file()


def lines(run: RunDirectory) -> list[dict[str, Any]]:
    return [
        {key: value for key, value in line.items() if key not in ("samples_per_s", "seconds")} for line in run.records()
    ]
