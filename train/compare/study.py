"""Where the trials of an arm are recorded: an Optuna study in a file that several processes and machines share."""

import json
from pathlib import Path

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState, create_trial

from train.compare.config import DimensionConfig, SearchSpace
from train.compare.results import Parameters, TrialRecord
from train.file_lock import file_lock

STORAGE = "optuna.log"
"""In the comparison's folder. ``optuna-dashboard OUT/NAME/optuna.log`` shows it."""
_WAIT_S = 60.0


class Study:
    """The ended trials of one arm.

    Points are not drawn by Optuna but by `train.compare.points`, so that they do not depend on the order in which
    trials end, and arms are tried at comparable ones.
    """

    def __init__(self, root: Path, name: str, space: SearchSpace, start: Parameters) -> None:
        self._root, self._space, self._start = root, space, start
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        with file_lock(root / f".{STORAGE}.lock", _WAIT_S):
            _set_damaged_aside(root / STORAGE)
            storage = JournalStorage(JournalFileBackend(str(root / STORAGE)))
            self._study = optuna.create_study(
                storage=storage, study_name=name, direction="maximize", load_if_exists=True
            )

    def add(self, record: TrialRecord) -> None:
        """Record an ended trial, once."""
        with file_lock(self._root / f".{STORAGE}.lock", _WAIT_S):
            if record.point in self._points():
                return
            distributions = {key: _distribution(space, self._start[key]) for key, space in self._space.items()}
            best = max(record.miou.values(), default=None)
            state = TrialState.FAIL if best is None else TrialState.PRUNED if record.stopped else TrialState.COMPLETE
            self._study.add_trial(
                create_trial(
                    state=state,
                    value=None if state == TrialState.FAIL else best,
                    params={key: record.parameters[key] for key in distributions},
                    distributions=distributions,
                    intermediate_values=record.miou,
                    user_attrs={"point": record.point, "run": record.run, "seconds": record.seconds},
                )
            )

    def _points(self) -> set[int]:
        return {trial.user_attrs["point"] for trial in self._study.get_trials(deepcopy=False)}


def _set_damaged_aside(log: Path) -> None:
    """A full disk may have cut a line short, and nothing behind it could be read. All ended trials are added again."""
    try:
        *lines, rest = log.read_bytes().decode().split("\n")
        for line in lines:
            json.loads(line)
    except FileNotFoundError:
        return
    except ValueError:
        rest = "damaged"
    if rest:
        log.replace(log.with_suffix(".damaged.log"))


def _distribution(dimension: DimensionConfig, start: float | int | str) -> BaseDistribution:
    """With the config's own value, which is tried first and may lie outside."""
    if dimension.low is None or dimension.high is None:
        return CategoricalDistribution(list(dict.fromkeys([*dimension.choices, start])))
    low, high = min(dimension.low, float(start)), max(dimension.high, float(start))
    return FloatDistribution(low, high, log=dimension.log and low > 0)
