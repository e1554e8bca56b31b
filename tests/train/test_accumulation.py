"""A batch that goes through the networks in parts teaches what it teaches at once."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from tests.train.taught import distance
from train import distill
from train.config import RunConfig
from train.session import Session, open_session
from train.settings import load_config
from train.step import train_step

Options = Callable[..., list[str]]

# One of each kind: means over pixels, statistics of the batch, a memory, random masks, two frames.
LOSSES = [
    {"name": "cross_entropy"},
    {"name": "kd"},
    {"name": "dist"},
    {"name": "cskd"},
    {"name": "cirkd", "student_tap": "stride:16", "teacher_tap": "stride:16", "pixel_memory": 40, "region_memory": 20},
    {"name": "mgd"},
    {"name": "mlkd"},
    {"name": "kd", "frames": "both"},
]


def session(options: Options, teacher_run: Path, out: Path, accumulate: int) -> Session:
    changes = {"teacher__run": teacher_run, "losses": json.dumps(LOSSES), "loop__batch_size": 4}
    arguments = options("a", out, loop__accumulate=accumulate, **changes)
    return open_session(load_config(RunConfig, "test", [*arguments, "--profile"]))  # makes no run


def without_batch_norm(network: nn.Module) -> None:
    """Its activations, dropout too, stay."""
    for name, child in network.named_children():
        if isinstance(child, nn.BatchNorm2d):
            setattr(network, name, getattr(child, "act", nn.Identity()))
        without_batch_norm(child)


@pytest.mark.parametrize("parts", [2, 4])
def test_parts_give_the_gradient_of_the_whole(options: Options, teacher_run: Path, tmp_path: Path, parts: int) -> None:
    terms, gradients, memories = [], [], []
    for accumulate in (1, parts):
        opened = session(options, teacher_run, tmp_path, accumulate)
        without_batch_norm(opened.state.model)
        for dropout in opened.state.model.modules():
            if isinstance(dropout, nn.Dropout):
                dropout.p = 0.0
        terms.append(train_step(opened, next(opened.batches())))
        trained = nn.ModuleList([opened.state.model, opened.state.losses])
        gradients.append({name: p.grad for name, p in trained.named_parameters() if p.grad is not None})
        memories.append(dict(opened.state.losses.named_buffers()))
    torch.testing.assert_close(terms[1], terms[0], rtol=1e-4, atol=1e-6)
    assert distance(gradients[1], gradients[0]) < 1e-4
    torch.testing.assert_close(memories[1], memories[0])


def test_dropout_is_the_same_both_times_and_batch_norm_counts_each_image_once(
    options: Options, teacher_run: Path, tmp_path: Path
) -> None:
    opened = session(options, teacher_run, tmp_path, 2)
    norm = next(module for module in opened.state.model.modules() if isinstance(module, nn.BatchNorm2d))
    dropout = next(module for module in opened.state.model.modules() if isinstance(module, nn.Dropout))
    outputs: list[torch.Tensor] = []
    dropout.register_forward_hook(lambda _module, _inputs, output: outputs.append(output == 0))
    train_step(opened, next(opened.batches()))
    first, second, *again = outputs
    assert not torch.equal(first, second)
    assert torch.equal(first, again[0])
    assert torch.equal(second, again[1])
    assert norm.num_batches_tracked == 2


def test_profile_of_parts_is_refused(options: Options, tmp_path: Path, cli) -> None:  # type: ignore[no-untyped-def]
    arguments = options("a", tmp_path, loop__accumulate=2, loop__steps=30)
    ended = cli(distill.main, [*arguments, "--profile"])
    assert ended.code == 2
    assert "loop.accumulate: profile times steps that are not divided: add --loop.accumulate 1" in ended.err
