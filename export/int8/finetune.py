"""Quantisation-aware fine-tuning: the run's own data, losses and teacher, with every layer rounding as it will in INT8.

Fake quantisation with a straight-through gradient, after https://arxiv.org/abs/1712.05877.
"""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from export.int8.images import CalibrationImage
from export.manifest import InputSpec
from train.checkpoint import TrainedNetwork, load_into
from train.checkpoint_files import load_state
from train.config import RunConfig
from train.models.network import SegmentationNetwork
from train.progress import TrainingProgress
from train.session import Session, open_session
from train.step import train_step

LEARNING_RATE = 0.01
"""Share of the run's own: the weights are to move by a step of INT8, not to be learnt anew."""

_LARGEST = 127
_Weighted = (nn.Conv2d, nn.Linear)


def finetune(
    trained: TrainedNetwork, checkpoint: Path, spec: InputSpec, images: Sequence[CalibrationImage], steps: int
) -> SegmentationNetwork:
    """A copy of the student after ``steps`` more steps of its training, in eval mode and in float.

    Batch norm keeps its statistics. That makes it a factor per channel, with which rounding per channel commutes: what
    is trained is what comes out when it is folded.

    Args:
        checkpoint: folder of the student's weights; adapters of the losses go on as they are there.
        images: give the range of what each layer reads, the largest absolute value.

    Raises:
        UserError: the data or the teacher of the run are gone, or a loss is no longer finite.
    """
    with tempfile.TemporaryDirectory() as folder:
        session = open_session(_config(trained.config, Path(folder), steps))
        network = session.state.model
        network.load_state_dict(trained.network.state_dict())
        load_into(session.state.losses, load_state(checkpoint)["losses"], checkpoint)
        inputs = [torch.tensor(image.read(spec)).permute(0, 3, 1, 2) for image in images]
        with _rounding(network, inputs):
            _train(session)
    return network.eval().to("cpu", memory_format=torch.contiguous_format)  # type: ignore[call-overload,no-any-return]


def _config(config: RunConfig, out: Path, steps: int) -> RunConfig:
    optimizer = {
        "lr": LEARNING_RATE * config.optimizer.lr,
        "warmup_steps": min(config.optimizer.warmup_steps, steps // 10),
        "ema_decay": 0.0,
    }
    loop = {"steps": steps, "threads": torch.get_num_threads(), "amp": False, "compile": False}
    return config.model_copy(
        update={
            "name": "finetune",
            "out": out,
            "resume": False,
            "overwrite": False,
            "profile": False,
            "model": config.model.without_weights,
            "optimizer": config.optimizer.model_copy(update=optimizer),
            "loop": config.loop.model_copy(update=loop),
        }
    )


def _train(session: Session) -> None:
    loop = session.config.loop
    with TrainingProgress("finetune", 0, loop.steps, loop.batch_size, loop.log_every) as progress:
        for batch in session.batches():
            terms = train_step(session, batch)
            shown = session.state.step % loop.log_every == 0
            progress.update(session.state.step, {name: term.item() for name, term in terms.items()} if shown else {})


@contextmanager
def _rounding(network: SegmentationNetwork, images: Sequence[Tensor]) -> Iterator[None]:
    """Let layers round what they read and what they weigh it with, and batch norm keep its statistics."""
    layers = [module for module in network.modules() if isinstance(module, _Weighted)]
    norms = [module for module in network.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
    largest = _largest_inputs(network, layers, images)
    with ExitStack() as stack:
        for norm in norms:
            stack.callback(norm.register_forward_pre_hook(_keep_statistics).remove)
        for layer in layers:
            stack.callback(layer.register_forward_pre_hook(_Rounded(largest[layer] / _LARGEST)).remove)
            parametrize.register_parametrization(layer, "weight", _RoundedWeight())
            stack.callback(parametrize.remove_parametrizations, layer, "weight", leave_parametrized=False)
        yield


def _largest_inputs(
    network: SegmentationNetwork, layers: Sequence[nn.Module], images: Sequence[Tensor]
) -> dict[nn.Module, float]:
    largest = dict.fromkeys(layers, 0.0)

    def watch(layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        largest[layer] = max(largest[layer], inputs[0].abs().max().item())

    network.eval()
    with ExitStack() as stack, torch.inference_mode():
        for layer in layers:
            stack.callback(layer.register_forward_pre_hook(watch).remove)
        for image in images:
            network(image.to(network.mean.device))
    return largest


def _keep_statistics(norm: nn.Module, _: tuple[Tensor, ...]) -> None:
    norm.training = False


class _Rounded:
    """What a layer reads, on the steps of one scale."""

    def __init__(self, scale: float) -> None:
        self._scale = max(scale, torch.finfo(torch.float32).tiny)

    def __call__(self, _: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        rounded = torch.fake_quantize_per_tensor_affine(inputs[0], self._scale, 0, -_LARGEST, _LARGEST)
        return (rounded, *inputs[1:])


class _RoundedWeight(nn.Module):
    """Weights on the steps of a scale per output channel, which follows the largest of them."""

    def forward(self, weight: Tensor) -> Tensor:
        scales = weight.detach().abs().flatten(1).amax(dim=1) / _LARGEST
        zeros = torch.zeros_like(scales, dtype=torch.int32)
        smallest = torch.finfo(torch.float32).tiny
        return torch.fake_quantize_per_channel_affine(weight, scales.clamp(min=smallest), zeros, 0, -_LARGEST, _LARGEST)
