"""The training loop, top to bottom: one readable recipe for teachers, students and distilled students."""

from dataclasses import asdict
from pathlib import Path

import torch
from torch import Tensor

from train.checkpoint import TrainingState, check_classes, load_run
from train.config import LoopConfig, RunConfig
from train.data.batches import training_batches
from train.data.dataset import Dataset
from train.data.open import open_dataset
from train.data.transforms import TrainTransform
from train.errors import UserError
from train.evaluation import evaluate
from train.losses.contract import FusedChannels
from train.losses.registry import LossSum
from train.metrics import Scores, scores
from train.models.build import build_model
from train.models.smp import SmpNetwork
from train.optimizer import build_average, build_optimizer, learning_rate, set_learning_rate
from train.precision import Precision, choose_device
from train.progress import TrainingProgress
from train.report import write_report
from train.run_directory import RunDirectory, open_run


def train(config: RunConfig) -> RunDirectory:
    """Train a network by a config and leave its run directory behind.

    Raises:
        UserError: anything wrong with the config, the data or the teacher; or a loss that is no longer finite.
    """
    train_set = open_dataset(config.data, config.data.train_split)
    val_set = open_dataset(config.data, config.data.val_split)
    config = _resolve(config, train_set)
    device = choose_device(config.loop.device)
    torch.set_num_threads(config.loop.threads or torch.get_num_threads())
    memory_format = torch.channels_last if config.loop.channels_last else torch.contiguous_format

    torch.manual_seed(config.seed)  # right before the model: with a teacher and without, it starts from the same weights
    model = build_model(config.model, len(train_set.classes))
    teacher = _load_teacher(config, train_set)
    losses = LossSum(config.losses, _fused_channels(model, teacher))
    if losses.needs_teacher and teacher is None:
        raise UserError("teacher: a loss of this run needs one: set --teacher.run RUN, or remove the loss")
    _check_sizes(config, model, teacher)
    run = open_run(config)

    for network in (model, losses, teacher):
        if network is not None:
            network.to(device, memory_format=memory_format)  # type: ignore[call-overload]
    precision = Precision.of(device, config.loop.amp)
    state = TrainingState(
        model=model,
        losses=losses,
        optimizer=build_optimizer(config.optimizer, [model, losses]),
        scaler=precision.scaler(),
        average=build_average(config.optimizer, model),
    )
    if config.resume:
        if (run.checkpoints / "last").is_dir():
            state.restore(run.checkpoint("last"))
        run.forget_after(state.step)

    loop = config.loop
    batches = training_batches(
        train_set, TrainTransform(config.data), loop.batch_size, config.seed, state.step, loop.steps, loop.workers
    )
    with TrainingProgress(config.name, state.step, loop.steps, loop.batch_size, loop.log_every) as progress:
        if state.step:
            progress.say(f"{config.name} resumed at step {state.step}")
        for image, label in batches:
            model.train()
            lr = learning_rate(config.optimizer, state.step, loop.steps)
            set_learning_rate(state.optimizer, lr)
            image = image.to(device, memory_format=memory_format, non_blocking=True)
            label = label.to(device, non_blocking=True)

            with precision.autocast():
                taught = _teach(teacher, image) if losses.needs_teacher else None
                total, terms = losses(model(image), taught, label, state.step, loop.steps)
            _check_finite(total, terms, state, run)

            state.optimizer.zero_grad(set_to_none=True)
            state.scaler.scale(total).backward()
            state.scaler.unscale_(state.optimizer)
            norm = _clip_gradients(state, config.optimizer.clip_norm)
            if not precision.scales:
                _check_finite(norm, {"the gradient": norm}, state, run)
            state.scaler.step(state.optimizer)
            state.scaler.update()
            if state.average is not None:
                state.average.update_parameters(model)
            state.step += 1

            _log(state, run, progress, terms, lr, loop)
            finished = state.step == loop.steps
            is_best = False
            if state.step % loop.eval_every == 0 or finished:
                is_best = _evaluate(state, run, progress, val_set, config)
            if state.step % loop.save_every == 0 or is_best or finished:
                _check_weights(state, run)
                run.save(
                    state.step,
                    state.evaluated.state_dict(),
                    state.state_dict(),
                    # `last` comes after `best`: a run killed between them is resumed at the older `last`, and
                    # evaluates again; the other way round the best score would be on record and its weights not.
                    links=["best", "last"] if is_best else ["last"],
                )
    best = load_run(run.root).network.to(device, memory_format=memory_format)  # type: ignore[call-overload]
    report = write_report(run, best, val_set, config.data.size, teacher)
    print(f"report: {report}")
    return run


def _resolve(config: RunConfig, dataset: Dataset) -> RunConfig:
    """Write the dataset's own classes, colours and mapping into the config, so that a run says what its ids mean."""
    own = {"classes": dataset.classes, "palette": dataset.palette, "label_map": dataset.label_map}
    data = config.data.model_copy(update=own)
    return config.model_copy(update={"data": data})


def _load_teacher(config: RunConfig, dataset: Dataset) -> SmpNetwork | None:
    if config.teacher is None:
        return None
    source = Path(config.teacher.run)
    trained = load_run(source, config.teacher.checkpoint)
    check_classes(trained, source, dataset.classes, dataset.name)
    return trained.network.requires_grad_(False)


def _fused_channels(model: SmpNetwork, teacher: SmpNetwork | None) -> FusedChannels | None:
    if teacher is None:
        return None
    return FusedChannels(student=model.fused_channels, teacher=teacher.fused_channels)


def _check_sizes(config: RunConfig, model: SmpNetwork, teacher: SmpNetwork | None) -> None:
    multiple = max(model.multiple, teacher.multiple if teacher else 1)
    for key, size in (("size", config.data.size), ("crop", config.data.crop or config.data.size)):
        if any(side % multiple for side in size):
            raise UserError(f"data.{key}: {size}: both sides must be multiples of {multiple}, the networks' stride")


@torch.inference_mode()
def _teach(teacher: SmpNetwork | None, image: Tensor):  # type: ignore[no-untyped-def]
    assert teacher is not None
    return teacher(image)


def _clip_gradients(state: TrainingState, clip_norm: float) -> Tensor:
    parameters = [p for group in state.optimizer.param_groups for p in group["params"]]
    return torch.nn.utils.clip_grad_norm_(parameters, clip_norm or float("inf"))


def _check_finite(total: Tensor, terms: dict[str, Tensor], state: TrainingState, run: RunDirectory) -> None:
    if torch.isfinite(total):
        return
    guilty = next((name for name, value in terms.items() if not torch.isfinite(value)), "the sum of the losses")
    folder = run.write_checkpoint(f"failed-{state.step:08d}", state.evaluated.state_dict(), state.state_dict())
    raise UserError(
        f"{run.root}: {guilty} is not finite at step {state.step}: lower optimizer.lr or the loss's weight; "
        f"the state before this step is in {folder}"
    )


def _check_weights(state: TrainingState, run: RunDirectory) -> None:
    """A finite loss and gradient may still have led to weights that are not; they must not become a checkpoint."""
    for name, value in state.evaluated.state_dict().items():
        if not torch.isfinite(value).all():
            raise UserError(
                f"{run.root}: the weight '{name}' is not finite after step {state.step}: lower optimizer.lr; "
                f"what was saved before is in {run.checkpoints}"
            )


def _log(
    state: TrainingState,
    run: RunDirectory,
    progress: TrainingProgress,
    terms: dict[str, Tensor],
    lr: float,
    loop: LoopConfig,
) -> None:
    if state.step % loop.log_every and state.step != loop.steps:
        progress.update(state.step, {})
        return
    values = {name: round(value.detach().item(), 6) for name, value in terms.items()}
    progress.update(state.step, values)
    run.log({"step": state.step, "lr": lr, "samples_per_s": round(progress.samples_per_s, 2), "losses": values})


def _evaluate(
    state: TrainingState, run: RunDirectory, progress: TrainingProgress, val_set: Dataset, config: RunConfig
) -> bool:
    """Score on the val split; True if this is the best so far."""
    result: Scores = scores(evaluate(state.evaluated, val_set, config.data.size), val_set.classes)
    run.log({"step": state.step, "split": config.data.val_split, **asdict(result)})
    is_best = result.miou > state.best_miou
    state.best_miou = max(state.best_miou, result.miou)
    mark = " (best)" if is_best else ""
    progress.say(
        f"{config.name} step {state.step}: mIoU {result.miou:.4f} mAcc {result.macc:.4f} "
        f"pixel accuracy {result.pixel_accuracy:.4f}{mark}"
    )
    return is_best
