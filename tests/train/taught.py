"""What a process sees of a training: run by the tests in this process, and in several started ones."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from torch import Tensor

from train import processes
from train.batch_norm import statistics
from train.checkpoint import load_run
from train.config import RunConfig
from train.data.open import open_dataset
from train.data.spec import DatasetSpec
from train.evaluation import evaluate
from train.session import open_session
from train.settings import load_config
from train.step import train_step


class Step(NamedTuple):
    """One step of a training."""

    terms: dict[str, Tensor]
    gradients: dict[str, Tensor]
    statistics: list[Tensor]
    """Of the student's batch norms."""
    images: Tensor
    """This process's."""


def first_step(arguments: list[str]) -> Step:
    """The first step of the training that a command line asks for, in double precision."""
    session = open_session(load_config(RunConfig, "test", [*arguments, "--profile"]))  # makes no run
    for module in (session.state.model, session.state.losses, session.teacher):
        if module is not None:
            module.double()
    batch = next(session.batches())
    terms = train_step(session, batch)
    gradients = {
        f"{owner}.{name}": parameter.grad
        for owner, module in (("model", session.state.model), ("losses", session.state.losses))
        for name, parameter in module.named_parameters()
        if parameter.grad is not None
    }
    return Step(terms, gradients, statistics(session.state.model), batch.image)


def steps_and_counts(each: list[list[str]], run: Path, root: Path) -> tuple[list[Step], np.ndarray]:
    """The first steps of trainings, and how a network scores on the val split of a CamVid."""
    dataset = open_dataset(DatasetSpec(layout="camvid", root=root), "val")
    counts = evaluate(load_run(run).network, dataset, (64, 96)).counts
    processes.wait()
    return [first_step(arguments) for arguments in each], counts


def distance(found: dict[str, Tensor], expected: dict[str, Tensor]) -> float:
    """Largest difference of a gradient, relative to the largest gradient there is."""
    assert found.keys() == expected.keys()
    scale = max(gradient.abs().max().item() for gradient in expected.values())
    return max((found[name] - expected[name]).abs().max().item() for name in expected) / scale
