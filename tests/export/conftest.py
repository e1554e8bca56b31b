"""A small real run and its bundle: trained for a few steps on generated streets."""

import shutil
from pathlib import Path

import pytest

from tests.export.commands import export
from train.config import RunConfig
from train.recipe import train

SIZE = (64, 96)


def small_config(out: Path, **changes: object) -> RunConfig:
    """A run of three steps that ends in seconds."""
    return RunConfig.model_validate(
        {
            "name": "small",
            "out": out,
            "data": {"size": SIZE, "streets": {"clips": 2, "val_clips": 2, "frames": 2, "size": SIZE}},
            "model": {
                "architecture": "deeplabv3plus",
                "encoder": "mobilenetv4_conv_small_035",
                "decoder": {"decoder_channels": 16},
            },
            "loop": {"steps": 3, "batch_size": 2, "workers": 0, "device": "cpu"},
            **changes,
        }
    )


@pytest.fixture(scope="session")
def exported(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of `run` with all outputs and an fp16 graph, not verified yet. Shared: copy it to write to it."""
    out = tmp_path_factory.mktemp("bundles") / "small"
    export(run, out, "--logits", "--confidence", "--precision", "fp16", "--no-verify")
    return out


@pytest.fixture
def bundle_root(exported: Path, tmp_path: Path) -> Path:
    """A copy of the bundle for one test."""
    return Path(shutil.copytree(exported, tmp_path / "bundle"))


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a trained run. Shared: do not write to it."""
    return train(small_config(tmp_path_factory.mktemp("runs"))).root
