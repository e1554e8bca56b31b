"""What a checkpoint holds, and the network that a run left behind."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn, optim
from torch.optim.swa_utils import AveragedModel

from train.checkpoint_files import load_state, load_weights
from train.config import RunConfig
from train.errors import UserError
from train.losses.registry import LossSum
from train.models.build import build_model
from train.models.network import SegmentationNetwork
from train.run_directory import RunDirectory, Which


@dataclass
class TrainingState:
    """Everything that changes while training; what is not here follows from the config and the step."""

    model: SegmentationNetwork
    losses: LossSum
    optimizer: optim.Optimizer
    scaler: torch.amp.GradScaler
    average: AveragedModel | None
    step: int = 0
    """Finished optimiser steps; the sampler's position follows from it."""
    best_miou: float = -1.0
    best_step: int = 0
    """When that was."""

    @property
    def evaluated(self) -> SegmentationNetwork:
        """The network that is scored and exported: the average, where there is one."""
        network: SegmentationNetwork = self.model if self.average is None else self.average.module  # type: ignore[assignment]
        return network

    def state_dict(self) -> dict[str, Any]:
        """All but the evaluated network's weights, which have a file of their own."""
        return {
            "step": self.step,
            "best_miou": self.best_miou,
            "best_step": self.best_step,
            "model": self.model.state_dict() if self.average is not None else None,
            "averaged": int(self.average.n_averaged) if self.average is not None else 0,
            "losses": self.losses.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.scaler.state_dict(),
            "rng": torch.get_rng_state(),
            "cuda_rng": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
        }

    def restore(self, folder: Path) -> None:
        """Become the state saved in a checkpoint's folder.

        Raises:
            DamagedError: a file is missing or not what was written; nothing has changed then.
            UserError: the state of another run.
        """
        saved, weights = load_state(folder), load_weights(folder)
        load_into(self.evaluated, weights, folder)
        try:
            self._load(saved)
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            reason = " ".join(str(error).split())[:120]
            raise UserError(
                f"{folder}: the state of another run ({reason}): resume with the run's own config"
            ) from None

    def _load(self, saved: dict[str, Any]) -> None:
        if self.average is not None:
            self.model.load_state_dict(saved["model"])
            self.average.n_averaged.fill_(saved["averaged"])
        self.losses.load_state_dict(saved["losses"])
        self.optimizer.load_state_dict(saved["optimizer"])
        self.scaler.load_state_dict(saved["scaler"])
        self.step, self.best_miou = saved["step"], saved["best_miou"]
        self.best_step = saved.get("best_step", 0)  # checkpoints of older versions have none
        torch.set_rng_state(saved["rng"])
        if torch.cuda.is_available() and saved["cuda_rng"]:
            torch.cuda.set_rng_state_all(saved["cuda_rng"])


@dataclass(frozen=True)
class TrainedNetwork:
    """A network that a run left behind, in eval mode, and how it came to be."""

    network: SegmentationNetwork
    config: RunConfig
    step: int


def load_run(root: Path, which: Which = "best") -> TrainedNetwork:
    """The network of a run's checkpoint, in the memory format that it was trained and scored in.

    That format decides in which order PyTorch adds: on CamVid's val split one of 17 million class ids depends on it.

    Raises:
        UserError: no run, no checkpoint, or weights of another architecture or class count.
    """
    run = RunDirectory(root)
    config = run.config()
    folder = run.checkpoint(which)
    # The checkpoint holds all weights, so those of ImageNet need not be there.
    network = build_model(config.model.without_weights, len(config.data.classes))
    load_into(network, load_weights(folder), folder)
    network.eval()
    if config.loop.channels_last:
        network.to(memory_format=torch.channels_last)
    return TrainedNetwork(network, config, int(load_state(folder)["step"]))


def load_start(network: SegmentationNetwork, path: Path) -> None:
    """Load the weights that a training starts from. `UserError` if there are none, or they are another network's."""
    try:
        weights = load_file(path)
    except (OSError, SafetensorError) as error:
        raise UserError(f"model.start: {path}: cannot be read ({error}): give the weights that it names") from None
    load_into(network, weights, path)


def check_classes(trained: TrainedNetwork, source: Path, classes: list[str], dataset: str) -> None:
    """`UserError` unless a network was trained on just these classes, in this order."""
    own = trained.config.data.classes
    if len(own) != len(classes):
        raise UserError(
            f"{source}: has {len(own)} classes, {dataset} has {len(classes)}: "
            "use a network trained on the same classes, or map the labels with data.label_map"
        )
    if own != classes:
        first = next(index for index in range(len(own)) if own[index] != classes[index])
        raise UserError(
            f"{source}: class {first} is '{own[first]}', in {dataset} it is '{classes[first]}': "
            "use a network trained on the same classes in the same order"
        )


def load_into(network: nn.Module, weights: dict[str, Tensor], source: Path) -> None:
    """Load weights whose keys and shapes must all match, or say which does not."""
    wanted = network.state_dict()
    for key in sorted(wanted.keys() | weights.keys()):
        if key not in weights:
            raise UserError(f"{source}: weights of another architecture: '{key}' is missing in the checkpoint")
        if key not in wanted:
            raise UserError(f"{source}: weights of another architecture: the network has no '{key}'")
        if wanted[key].shape != weights[key].shape:
            raise UserError(
                f"{source}: weights of another architecture: '{key}' is {tuple(weights[key].shape)} in the "
                f"checkpoint and {tuple(wanted[key].shape)} in the network"
            )
    network.load_state_dict(weights)
