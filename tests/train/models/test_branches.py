"""What PIDNet-S and DDRNet-23-slim promise alike, beside what every student does."""

import json
from pathlib import Path

import pytest
import torch
from torch import Tensor

from tests.conftest import Cli, Options, run_training
from train import distill
from train.checkpoint import load_run
from train.models.build import build_model
from train.models.config import ModelConfig
from train.models.network import SegmentationNetwork
from train.models.tap_shapes import TapShape, tap_shapes

CLASSES = 5
SIZE = (64, 128)
ARCHITECTURES = ("pidnet_s", "ddrnet_23_slim")

every = pytest.mark.parametrize("architecture", ARCHITECTURES)


def build(architecture: str, classes: int = CLASSES, **changes: object) -> SegmentationNetwork:
    torch.manual_seed(0)
    return build_model(ModelConfig.model_validate({"architecture": architecture, **changes}), classes)


def noise(*shape: int) -> Tensor:
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


@every
def test_taps_in_training(architecture: str) -> None:
    network = build(architecture)
    taps = network(noise(2, 3, *SIZE))
    strides = [SIZE[0] // stage.shape[2] for stage in taps.stages]
    assert strides == [2, 4, 8, 16, 32, 64]
    for stage, stride, channels in zip(taps.stages, strides, (32, 32, 128, 128, 256, 512), strict=True):
        assert stage.shape == (2, channels, SIZE[0] // stride, SIZE[1] // stride)
    assert taps.fused.shape == (2, 128, 8, 16)
    assert taps.logits.shape == (2, CLASSES, 8, 16)
    assert taps.aux is not None
    assert taps.aux.shape == taps.logits.shape

    loss = (taps.logits * torch.randn_like(taps.logits)).sum() + (taps.aux * torch.randn_like(taps.aux)).sum()
    loss.backward()
    assert [name for name, parameter in network.named_parameters() if parameter.grad is None] == []


@every
def test_shapes_that_losses_are_built_for(architecture: str) -> None:
    taps = ["logits", "stride:8", "stride:32", "module:encoder.detail2", "module:decoder.pyramid"]
    assert tap_shapes(build(architecture), taps) == {
        "logits": TapShape(CLASSES, 8),
        "stride:8": TapShape(128, 8),
        "stride:32": TapShape(256, 32),
        "module:encoder.detail2": TapShape(64, 8),
        "module:decoder.pyramid": TapShape(128, 64),
    }


@every
@pytest.mark.parametrize(
    ("option", "value"),
    [("encoder", "resnet18"), ("weights", "imagenet"), ("decoder", '{"decoder_channels": 16}')],
)
def test_what_does_not_apply_is_one_line(cli: Cli, architecture: str, option: str, value: str) -> None:
    ended = cli(distill.main, ["--name", "a", "--model.architecture", architecture, f"--model.{option}", value])
    assert ended.code == 2
    assert f"{architecture} is a whole network, to which {option} do not apply" in ended.err
    assert ended.err.count("\n") == 1


@every
def test_a_resolved_config_is_read_back(architecture: str) -> None:
    model = ModelConfig.model_validate({"architecture": architecture})
    assert ModelConfig.model_validate(model.model_dump(mode="json")) == model
    assert model.title == architecture


@every
def test_a_student_is_distilled_from_a_network_of_smp(
    options: Options, teacher_run: Path, tmp_path: Path, architecture: str
) -> None:
    losses = [{"name": "cross_entropy"}, {"name": "mlkd"}, {"name": "fckd", "on": "features"}]
    arguments = options(
        "student",
        tmp_path,
        model__architecture=architecture,
        model__encoder="efficientnet_lite0",
        model__decoder="{}",
        data__size="[64,128]",
        loop__steps=2,
        losses=json.dumps(losses),
        teacher__run=teacher_run,
    )
    run = run_training(arguments)
    logged = [json.loads(line) for line in (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    terms = [line["losses"] for line in logged if "losses" in line]
    assert len(terms) == 2
    assert all(step["cross_entropy.aux"] > 0 for step in terms)
    network = load_run(run).network
    assert network(noise(1, 3, 64, 128)).aux is None
    assert f"{architecture}, scored on" in (run / "report.html").read_text(encoding="utf-8")
