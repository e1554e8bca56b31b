"""All parts of a training run, built from its config and on their device."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from train import processes
from train.batch_norm import synchronise
from train.checkpoint import TrainingState, load_start
from train.compatibility import Parts, check_parts
from train.config import RunConfig
from train.data.batches import Batch, Share, training_batches
from train.data.dataset import Dataset
from train.data.mixture import Pool
from train.data.transforms import TrainTransform
from train.errors import NotFiniteError, UserError
from train.losses.registry import LossSum, combined_needs
from train.models.build import build_model
from train.models.network import SegmentationNetwork
from train.models.tap_shapes import TapShape, TapShapes, tap_shapes
from train.models.taps import Tap
from train.models.weights_digest import weights_digest
from train.optimizer import build_average, build_optimizer
from train.precision import Precision, choose_device
from train.resumption import Resumption, resume
from train.run_directory import RunDirectory, open_run
from train.splits import open_pool, open_split
from train.taught import TaughtFrames, with_classes_of_the_teacher
from train.teachers.cache import TeacherCache, check_cache, open_cache
from train.teachers.class_map import without_unknown
from train.teachers.contract import LoadedTeacher
from train.teachers.loading import load_teacher
from train.trackers import check_trackers


@dataclass
class Session:
    """What the recipe works with."""

    config: RunConfig
    run: RunDirectory
    train_set: Dataset
    val_set: Dataset
    pool: Pool | None
    teacher: SegmentationNetwork | None
    state: TrainingState
    precision: Precision
    memory_format: torch.memory_format
    unknown_to_teacher: frozenset[int] = frozenset()
    """Classes that it says nothing of."""
    resumption: Resumption | None = None
    """Where it goes on from; None: at its first step."""

    @cached_property
    def student(self) -> SegmentationNetwork:
        """The network that is trained, as a step runs it."""
        return self._as_run(self.state.model)

    @cached_property
    def teaching(self) -> SegmentationNetwork | None:
        """The teacher, as a step runs it."""
        if self.teacher is None:
            return None
        settings, network = self.config.teacher, self._as_run(self.teacher)
        if settings is None or settings.cache is None:
            return network
        arithmetic = str(self.precision.of_teacher(settings.precision))
        return open_cache(network, settings, settings.cache, self.train_set.classes, arithmetic)

    @property
    def teacher_cache(self) -> TeacherCache | None:
        """What the teacher said, where it is kept."""
        return self.teaching if isinstance(self.teaching, TeacherCache) else None

    def _as_run(self, network: SegmentationNetwork) -> SegmentationNetwork:
        return cast(SegmentationNetwork, torch.compile(network)) if self.config.loop.compile else network

    def teaching_context(self) -> AbstractContextManager[object]:
        """Of the teacher's forward pass."""
        teacher = self.config.teacher
        return self.precision.of_teacher(teacher.precision if teacher else "run").autocast()

    @property
    def device(self) -> torch.device:
        """Where the networks are."""
        return self.precision.device

    def batches(self, until: int | None = None) -> Iterator[Batch]:
        """This process's images of the steps that are left, or of those until a certain one, on the device."""
        loop, seed, share = self.config.loop, self.config.seed, Share(processes.rank(), processes.count())
        transform = TrainTransform(self.config.data)
        neighbour = self.config.data.neighbour if self.state.losses.needs.neighbour else None
        for batch in training_batches(
            self.train_set,
            transform,
            loop.batch_size,
            seed,
            self.state.step,
            min(until or loop.steps, loop.steps),
            loop.workers,
            neighbour,
            share,
            self.pool,
        ):
            yield without_unknown(Batch(*(self._place_field(field) for field in batch)), self.unknown_to_teacher)

    def _place_field(self, field: Any) -> Any:
        if not isinstance(field, Tensor):
            return field
        memory_format = self.memory_format if field.ndim == 4 else torch.contiguous_format
        return field.to(self.device, memory_format=memory_format, non_blocking=True)

    def parameters(self) -> list[nn.Parameter]:
        """All that is trained."""
        return [parameter for group in self.state.optimizer.param_groups for parameter in group["params"]]

    def seed_noise(self, part: int = 0) -> None:
        """Let dropout follow from the step, the process and the part of its batch, so that resumed it is the same."""
        place = (self.config.seed, self.state.step, processes.rank(), part)
        torch.manual_seed(int(np.random.SeedSequence(place).generate_state(1)[0]))

    def failure(self, reason: str) -> NotFiniteError:
        """The error that ends this run."""
        return NotFiniteError(f"{self.run.root}: {reason}")

    def place(self, network: nn.Module) -> None:
        """Move a network to the device, in the memory format of the run."""
        network.to(self.device, memory_format=self.memory_format)  # type: ignore[call-overload]


def open_session(config: RunConfig) -> Session:
    """Wire a run: data, networks, losses, optimiser; restored from its last checkpoint where the config says so.

    Raises:
        UserError: anything wrong with the config, the data or the teacher. No run directory has been made then.
    """
    config = with_classes_of_the_teacher(config)
    train_set = open_split(config, config.data.train_split)
    val_set = open_split(config, config.data.val_split)
    config = _resolve(config, train_set)
    pool = open_pool(config, val_set)
    precision = Precision.of(choose_device(config.loop.device), config.loop.amp)
    torch.set_num_threads(config.loop.threads or torch.get_num_threads())
    torch.manual_seed(config.seed)  # right before the model: it starts the same with a teacher and without
    model = build_model(config.model, len(train_set.classes))
    if config.model.start is not None:
        load_start(model, config.model.start)
    loaded = _load_teacher(config, train_set)
    teacher = loaded.network if loaded else None
    if config.data.taught and teacher is not None:
        val_set = TaughtFrames(val_set, teacher, config.data.size)
    losses = _build_losses(config, model, teacher)
    check_parts(config, Parts(train_set, val_set, pool, model, teacher, losses.needs))
    check_trackers(config.trackers)

    run = RunDirectory(config.out / config.name)
    if processes.is_first() and not config.profile:
        open_run(config, None if teacher is None else weights_digest(teacher))
    processes.wait()
    state = _first_state(config, model, losses, precision)
    memory_format = torch.channels_last if config.loop.channels_last else torch.contiguous_format
    session = Session(config, run, train_set, val_set, pool, teacher, state, precision, memory_format)
    session.unknown_to_teacher = loaded.unknown if loaded else frozenset()
    for network in (model, losses, teacher, state.average):
        if network is not None:
            session.place(network)
    if config.resume and not config.profile:
        _resume(session)
    return session


def _first_state(config: RunConfig, model: SegmentationNetwork, losses: LossSum, precision: Precision) -> TrainingState:
    if processes.count() > 1 and config.loop.sync_batchnorm:
        synchronise(model, precision.device)
        synchronise(losses, precision.device)
    return TrainingState(
        model=model,
        losses=losses,
        optimizer=build_optimizer(config.optimizer, [model, losses]),
        scaler=precision.scaler(),
        average=build_average(config.optimizer, model),
    )


def _resume(session: Session) -> None:
    """The first process chooses the checkpoint, and all become it."""
    run, state = session.run, session.state
    if processes.is_first():
        session.resumption = resume(run, state)
    session.resumption, best_miou = processes.from_first((session.resumption, state.best_miou))
    if session.resumption is not None and not processes.is_first():
        if not session.resumption.folder.is_dir():
            raise UserError(f"{run.root}: not on this machine: put the run where all machines see the same files")
        state.restore(session.resumption.folder)
    state.best_miou = best_miou


def _resolve(config: RunConfig, dataset: Dataset) -> RunConfig:
    """Write the dataset's own classes, colours and mapping into the config, so that a run says what its ids mean."""
    own = {"classes": dataset.classes, "palette": dataset.palette, "label_map": dataset.label_map}
    data = config.data.model_copy(update=own)
    return config.model_copy(update={"data": data})


def _load_teacher(config: RunConfig, dataset: Dataset) -> LoadedTeacher | None:
    if config.teacher is None:
        return None
    check_cache(config.teacher.cache, config.data.augment.variants)
    loaded = load_teacher(config.teacher, dataset.classes, dataset.name)
    if processes.is_first():
        for note in loaded.notes:
            print(note, flush=True)
    return loaded


def _build_losses(config: RunConfig, model: SegmentationNetwork, teacher: SegmentationNetwork | None) -> LossSum:
    needs = combined_needs(config.losses)
    taught = needs.teacher | needs.neighbour_teacher
    if taught and teacher is None:
        names = [loss.name for loss in config.losses if loss.needs.teacher]
        raise UserError(f"teacher: the loss {names[0]} needs one: set --teacher.run RUN, or remove the loss")
    shapes = TapShapes(
        classes=model.classes,
        student=_tap_shapes("student", model, needs.student | needs.neighbour_student),
        teacher=_tap_shapes("teacher", teacher, taught) if teacher is not None else {},
    )
    without_labels = config.data.taught or bool(config.data.unlabelled)
    return LossSum(config.losses, shapes, config.data.pool.confidence if without_labels else 0.0)


def _tap_shapes(who: str, network: SegmentationNetwork, taps: frozenset[Tap]) -> dict[Tap, TapShape]:
    try:
        return tap_shapes(network, taps)
    except UserError as error:
        raise UserError(f"{who}: {error}") from None
