"""Fine-tuning trains the student as INT8 will round it, and leaves a network that exports as before."""

import shutil
from pathlib import Path

import pytest
import torch
from torch import nn

from export.int8.finetune import _rounding, finetune
from export.int8.images import CalibrationImage, choose_images
from export.manifest import InputSpec
from tests.conftest import HEIGHT, WIDTH
from train.checkpoint import TrainedNetwork, load_run
from train.errors import UserError
from train.models.network import SegmentationNetwork
from train.run_directory import RunDirectory

STEPS = 2


@pytest.fixture(scope="module")
def trained(student_run: Path) -> TrainedNetwork:
    """A student with a teacher, and with a loss that has an adapter. Read only."""
    return load_run(student_run)


@pytest.fixture(scope="module")
def input_spec() -> InputSpec:
    return InputSpec(height=HEIGHT, width=WIDTH, mean=[127.0] * 3, std=[1.0] * 3)


@pytest.fixture(scope="module")
def images(camvid_root: Path) -> list[CalibrationImage]:
    return choose_images(camvid_root / "train", 2, 0)


@pytest.fixture(scope="module")
def finetuned(trained: TrainedNetwork, student_run: Path, input_spec: InputSpec, images) -> SegmentationNetwork:
    return finetune(trained, RunDirectory(student_run).checkpoint("best"), input_spec, images, STEPS)


def norms(network: nn.Module) -> list[nn.modules.batchnorm._BatchNorm]:
    return [module for module in network.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]


def test_layers_round_what_they_read_and_what_they_weigh(student_run: Path, input_spec: InputSpec, images) -> None:
    network = load_run(student_run).network
    pixels = [torch.tensor(image.read(input_spec)).permute(0, 3, 1, 2) for image in images]
    layer = next(module for module in network.modules() if isinstance(module, nn.Conv2d))
    before = layer.weight.detach().clone()
    read: list[torch.Tensor] = []
    with _rounding(network, pixels), torch.no_grad():
        layer.register_forward_hook(lambda _, inputs, __: read.append(inputs[0]))
        network(pixels[0])
        weight_steps = 127 * layer.weight / before.abs().amax(dim=(1, 2, 3), keepdim=True)
    largest = max(((image.float() - network.mean) / network.std).abs().max() for image in pixels)
    for steps in (127 * read[0] / largest, weight_steps):
        torch.testing.assert_close(steps, steps.round(), atol=1e-3, rtol=0)
    assert torch.equal(layer.weight, before)
    read.clear()
    network(pixels[0])
    assert torch.equal(read[0], (pixels[0].float() - network.mean) / network.std)


def test_rounding_before_folding_is_rounding_after_it() -> None:
    """Why batch norm may stay where it is: with a scale per channel, a factor per channel changes nothing."""
    torch.manual_seed(0)
    weight, factor = torch.randn(8, 3, 3, 3), torch.randn(8, 1, 1, 1)

    def rounded(values: torch.Tensor) -> torch.Tensor:
        scale = values.abs().amax(dim=(1, 2, 3), keepdim=True) / 127
        return (values / scale).round() * scale

    torch.testing.assert_close(rounded(weight) * factor, rounded(weight * factor))


def test_weights_move_and_statistics_stay(trained: TrainedNetwork, finetuned: SegmentationNetwork) -> None:
    before, after = trained.network.state_dict(), finetuned.state_dict()
    assert before.keys() == after.keys()
    moved = {key for key in before if not torch.equal(before[key], after[key])}
    convolutions = [name for name, module in finetuned.named_modules() if isinstance(module, nn.Conv2d)]
    assert {f"{name}.weight" for name in convolutions} <= moved
    assert not any("running_" in key for key in moved)
    assert len(norms(finetuned)) > 10
    assert not finetuned.training


def test_the_same_again_is_the_same_network(
    trained: TrainedNetwork, finetuned: SegmentationNetwork, student_run: Path, input_spec: InputSpec, images
) -> None:
    again = finetune(trained, RunDirectory(student_run).checkpoint("best"), input_spec, images, STEPS)
    for key, value in again.state_dict().items():
        assert torch.equal(value, finetuned.state_dict()[key])


def test_a_teacher_that_is_gone_is_named(
    trained: TrainedNetwork, student_run: Path, input_spec: InputSpec, images, tmp_path: Path
) -> None:
    assert trained.config.teacher is not None
    moved = trained.config.teacher.model_copy(update={"run": str(tmp_path / "teacher")})
    without = TrainedNetwork(trained.network, trained.config.model_copy(update={"teacher": moved}), trained.step)
    with pytest.raises(UserError, match="teacher"):
        finetune(without, RunDirectory(student_run).checkpoint("best"), input_spec, images, STEPS)


def test_nothing_is_written_into_the_run(student_run: Path, input_spec: InputSpec, images, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(student_run, tmp_path / "run", symlinks=True))
    before = sorted((str(path), path.stat().st_mtime_ns) for path in copy.rglob("*"))
    finetune(load_run(copy), RunDirectory(copy).checkpoint("best"), input_spec, images, 1)
    assert sorted((str(path), path.stat().st_mtime_ns) for path in copy.rglob("*")) == before
