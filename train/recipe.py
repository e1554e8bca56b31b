"""The training loop, top to bottom: one readable recipe for teachers, students and distilled students."""

import signal
from dataclasses import asdict

import torch
from torch import Tensor

from train import processes
from train.broken import BrokenSamples
from train.checkpoint import load_run
from train.config import RunConfig
from train.evaluation import evaluate
from train.interruption import Interrupted, Interruption, workers_needed
from train.journal import Journal
from train.metrics import scores
from train.progress import TrainingProgress
from train.report import write_report
from train.run_directory import RunDirectory, Which
from train.session import Session, open_session
from train.step import train_step
from train.trackers import Trackers


def train(config: RunConfig, until: int | None = None, report: bool = True) -> RunDirectory:
    """Train a network by a config and leave its run directory behind.

    Args:
        config: of the whole training.
        until: a step to pause after, scored and saved; the same config with ``resume`` goes on.
        report: whether to write the report's page at the end.

    Raises:
        UserError: anything wrong with the config, the data or the teacher; a loss that is no longer finite; no room.
        Interrupted: SIGTERM or SIGINT has come; the state after the step that was running is saved.
    """
    session = open_session(config)
    run, state, loop = session.run, session.state, config.loop
    with (
        TrainingProgress(config.name, state.step, loop.steps, loop.batch_size, loop.log_every) as progress,
        Trackers(config.trackers if processes.is_first() else [], run, state.step, progress.say) as trackers,
        Interruption() as interruption,
        workers_needed(),
    ):
        journal = Journal(run, trackers)
        for line in _resumed(session):
            progress.say(line)
        samples = len(session.train_set) + (len(session.pool.dataset) if session.pool else 0)
        broken = BrokenSamples(samples, [record["broken"] for record in run.records() if "broken" in record])
        for batch in session.batches(until):
            _report(session, progress, journal, broken.add(batch.broken))
            terms = train_step(session, batch)
            finished = state.step in (loop.steps, until)
            stopped = processes.largest(interruption.number or 0)
            _log(session, progress, journal, terms, always=finished)
            is_best = False
            if state.step % loop.eval_every == 0 or finished:
                is_best = _evaluate(session, progress, journal)
                if session.teacher_cache is not None:
                    progress.say(session.teacher_cache.line())
            if state.step % loop.save_every == 0 or is_best or finished or stopped:
                _save(session, ["best", "last"] if is_best else ["last"])
            if stopped:
                raise _interrupted(session, stopped)
        if broken:
            progress.say(f"{len(broken)} broken samples were skipped: they are listed in {run.metrics}")
    if processes.is_first() and report and state.step == loop.steps:
        _leave_report(session)
    return run


def _leave_report(session: Session) -> None:
    best = load_run(session.run.root).network
    session.place(best)
    report = write_report(session.run, best, session.val_set, session.config.data.size, session.teacher)
    print(f"report: {report}")


def _resumed(session: Session) -> list[str]:
    name = session.config.name
    if session.resumption is not None:
        return session.resumption.lines(name)
    return [f"{name} has no checkpoint yet: it starts at its first step"] if session.config.resume else []


def _save(session: Session, links: list[Which]) -> None:
    _check_weights(session)
    state = session.state
    if processes.is_first():
        session.run.save(state.step, state.evaluated.state_dict(), state.state_dict(), links)
    processes.wait()  # nobody ends before the checkpoint is there


def _interrupted(session: Session, number: int) -> Interrupted:
    folder = session.run.checkpoint("last").resolve()
    resuming = "" if session.config.resume else " with --resume"
    return Interrupted(
        f"{signal.Signals(number).name}: stopped after step {session.state.step}, which is saved in "
        f"{session.run.checkpoints / folder.name}; go on by the same command{resuming}",
        number,
    )


def _check_weights(session: Session) -> None:
    """A finite loss and gradient may still have led to weights that are not; they must not become a checkpoint."""
    for name, value in session.state.evaluated.state_dict().items():
        if not torch.isfinite(value).all():
            raise session.failure(
                f"the weight '{name}' is not finite after step {session.state.step}: lower optimizer.lr; "
                f"what was saved before is in {session.run.checkpoints}"
            )


def _report(session: Session, progress: TrainingProgress, journal: Journal, broken: list[str]) -> None:
    for message in broken:
        progress.say(f"skipped: {message}")
        journal.write(session.state.step, broken=message)


def _log(
    session: Session, progress: TrainingProgress, journal: Journal, terms: dict[str, Tensor], always: bool
) -> None:
    state = session.state
    if state.step % session.config.loop.log_every and not always:
        progress.update(state.step, {})
        return
    values = {name: round(value.detach().item(), 6) for name, value in terms.items()}
    progress.update(state.step, values)
    lr = state.optimizer.param_groups[0]["lr"]
    rate = round(progress.samples_per_s, 2)
    journal.write(state.step, lr=lr, samples_per_s=rate, losses=values)


def _evaluate(session: Session, progress: TrainingProgress, journal: Journal) -> bool:
    """Score on the val split; True if this is the best so far."""
    config, state, val_set = session.config, session.state, session.val_set
    result = scores(evaluate(state.evaluated, val_set, config.data.size), val_set.classes)
    journal.write(state.step, split=config.data.val_split, **asdict(result))
    is_best = result.miou > state.best_miou
    if is_best:
        state.best_miou, state.best_step = result.miou, state.step
    mark = " (best)" if is_best else ""
    if config.data.taught:
        found = f"agreement with the teacher {result.pixel_accuracy:.4f}, mIoU against its map {result.miou:.4f}"
    else:
        found = f"mIoU {result.miou:.4f} mAcc {result.macc:.4f} pixel accuracy {result.pixel_accuracy:.4f}"
    progress.say(f"{config.name} step {state.step}: {found}{mark}")
    return is_best
