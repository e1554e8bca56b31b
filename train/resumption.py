"""Which state a run goes on from: the newest that is whole."""

from dataclasses import dataclass
from pathlib import Path

from train.checkpoint import TrainingState
from train.checkpoint_files import DamagedError, load_state, load_weights
from train.errors import UserError
from train.run_directory import RunDirectory


@dataclass(frozen=True)
class Resumption:
    """The checkpoint that was taken, and what was wrong with others."""

    step: int
    folder: Path
    complaints: list[str]

    def lines(self, name: str) -> list[str]:
        """What the user is told."""
        return [*self.complaints, f"{name} resumed at step {self.step} from {self.folder}"]


def resume(run: RunDirectory, state: TrainingState) -> Resumption | None:
    """Become the newest whole checkpoint of a run; None: it has none yet, and starts at its first step.

    A damaged one is passed over, and stays until the run comes past its step again.

    Raises:
        UserError: there are checkpoints, and all are damaged; nothing was changed then.
    """
    complaints: list[str] = []
    for folder in run.steps():
        try:
            state.restore(folder)
        except DamagedError as error:
            complaints.append(f"skipped: {error.path}: {error.reason}")
            continue
        # A crash may have come between the checkpoint and the links to it.
        run.link(folder, ["last"])
        complaints += _check_best(run, state)
        run.forget_after(state.step)
        return Resumption(state.step, folder, complaints)
    if complaints:
        raise UserError(
            f"{run.checkpoints}: none of the {len(complaints)} checkpoints can be resumed from (the newest: "
            f"{complaints[0].removeprefix('skipped: ')}); nothing was deleted: bring one back from a copy, or start "
            "anew with --overwrite"
        )
    run.forget_after(0)
    return None


def _check_best(run: RunDirectory, state: TrainingState) -> list[str]:
    """Forget the best score if its checkpoint is lost, so that the next evaluation makes another one."""
    if state.best_miou < 0:
        return []
    if run.step(state.best_step).is_dir():
        run.link(run.step(state.best_step), ["best"])
    try:
        best = run.checkpoint("best")
        load_state(best)
        load_weights(best)
    except UserError as error:
        state.best_miou = -1.0
        reason = f"{error.path}: {error.reason}" if isinstance(error, DamagedError) else "it is missing"
        return [f"the best checkpoint is lost ({reason}): the next evaluation makes another one"]
    return []
