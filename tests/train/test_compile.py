"""Compiled networks show the same taps and teach the same."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from train import distill
from train.config import RunConfig
from train.models.network import SegmentationNetwork
from train.models.taps import Taps
from train.session import Session, open_session
from train.settings import load_config
from train.step import train_step

Options = Callable[..., list[str]]


class TwoLayers(SegmentationNetwork):
    """As little as there is to compile."""

    def __init__(self) -> None:
        super().__init__(classes=11, multiple=4, mean=(120.0,) * 3, std=(60.0,) * 3)
        self.stage = nn.Conv2d(3, 8, 4, stride=4)
        self.classifier = nn.Conv2d(8, 11, 1)

    def maps(self, image: Tensor, decoded: bool) -> dict[str, Tensor]:
        stage = self.stage(image).relu()
        return {"stride:4": stage, "fused": stage, "logits": self.classifier(stage)} if decoded else {"stride:4": stage}


def test_compiled_networks_show_the_same_taps_and_teach_the_same(options: Options, tmp_path: Path) -> None:
    arguments = options("a", tmp_path, losses='[{"name": "cross_entropy"}]')
    session = open_session(load_config(RunConfig, "test", [*arguments, "--loop.compile", "--profile"]))
    plain, batch = TwoLayers(), next(session.batches())
    session.state.model, session.teacher = plain, plain
    gradients = []
    expected = plain(batch.image, frozenset({"logits", "fused"}))
    for network in (session.student, plain):
        plain.zero_grad()
        shown = network(batch.image, frozenset({"logits", "fused"}))
        assert isinstance(shown, Taps)
        assert list(shown.maps) == ["stride:4", "fused", "logits"]
        torch.testing.assert_close(shown.maps, expected.maps)
        (shown.logits.square().mean() + shown.fused.mean()).backward()
        gradients.append([parameter.grad for parameter in plain.parameters()])
    torch.testing.assert_close(gradients[0], gradients[1])
    assert session.student is not plain
    assert list(session.student.state_dict()) != list(session.state.evaluated.state_dict())  # this one is saved
    with torch.inference_mode():
        assert session.teaching is not None
        torch.testing.assert_close(session.teaching(batch.image).logits, plain(batch.image).logits)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_a_compiled_step_learns_what_a_plain_one_does(options: Options, teacher_run: Path, tmp_path: Path) -> None:
    def session(flag: str) -> Session:
        losses = '[{"name": "cross_entropy"}, {"name": "kd"}, {"name": "fitnet"}]'
        arguments = options("a", tmp_path, losses=losses, teacher__run=teacher_run)
        opened = open_session(load_config(RunConfig, "test", [*arguments, flag, "--profile"]))
        for module in opened.state.model.modules():
            if isinstance(module, nn.Dropout):
                module.p = 0.0
        return opened

    plain, compiled = session("--no-loop.compile"), session("--loop.compile")
    expected = train_step(plain, next(plain.batches()))
    torch.testing.assert_close(train_step(compiled, next(compiled.batches())), expected, rtol=1e-4, atol=1e-5)


def test_taps_that_a_compiled_network_does_not_show_are_refused(  # type: ignore[no-untyped-def]
    options: Options, teacher_run: Path, tmp_path: Path, cli
) -> None:
    losses = '[{"name": "at", "student_tap": "module:decoder.aspp"}]'
    arguments = options("a", tmp_path, losses=losses, teacher__run=teacher_run)
    ended = cli(distill.main, [*arguments, "--loop.compile"])
    assert (ended.code, ended.err.count("\n")) == (2, 1)
    assert "loop.compile: a compiled network does not show 'module:decoder.aspp'" in ended.err
