from pathlib import Path

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from train.compare.config import DimensionConfig
from train.compare.results import Parameters, TrialRecord
from train.compare.study import STORAGE, Study

KEY = "optimizer.lr"


def recorded(point: int, value: float) -> TrialRecord:
    return TrialRecord(point, {KEY: value}, {2: 0.25, 4: 0.5}, False, f"trial-{point}", 1.0)


def written(root: Path, records: list[TrialRecord], start: Parameters) -> list[optuna.trial.FrozenTrial]:
    study = Study(root, "arm", {KEY: DimensionConfig(low=0.001, high=0.01, log=True)}, start)
    for record in records:
        study.add(record)
    storage = JournalStorage(JournalFileBackend(str(root / STORAGE)))
    return optuna.load_study(study_name="arm", storage=storage).get_trials()


def test_a_trial_is_recorded_once(tmp_path: Path) -> None:
    trials = written(tmp_path, [recorded(0, 0.002), recorded(0, 0.002)], {KEY: 0.002})
    assert [(trial.value, trial.params, trial.intermediate_values) for trial in trials] == [
        (0.5, {KEY: 0.002}, {2: 0.25, 4: 0.5})
    ]


def test_where_the_search_starts_may_be_outside_of_a_logarithmic_range(tmp_path: Path) -> None:
    trials = written(tmp_path, [recorded(0, 0.0), recorded(1, 0.002)], {KEY: 0.0})
    assert [trial.params[KEY] for trial in trials] == [0.0, 0.002]


def test_a_log_that_was_cut_short_is_set_aside_and_written_again(tmp_path: Path) -> None:
    records = [recorded(0, 0.002), recorded(1, 0.003)]
    written(tmp_path, records, {KEY: 0.002})
    log = tmp_path / STORAGE
    log.write_bytes(log.read_bytes()[:-40])
    for _ in range(2):
        assert len(written(tmp_path, records, {KEY: 0.002})) == 2
    assert (tmp_path / "optuna.damaged.log").is_file()
