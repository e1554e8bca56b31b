from train.history import History

RECORDS = [
    {"step": 1, "lr": 0.1, "losses": {"cross_entropy": 2.0}},
    {"step": 2, "lr": 0.2, "losses": {"cross_entropy": 1.0, "kd": 3.0}},
    {"step": 2, "split": "val", "miou": 0.5, "macc": 0.6},
    {"step": 4, "split": "val", "miou": 0.5, "macc": 0.7},
    {"step": 6, "split": "val", "miou": 0.4, "macc": 0.8},
]


def test_history_sorts_lines_into_curves() -> None:
    history = History.of(RECORDS)
    assert history.losses() == {"cross_entropy": ([1, 2], [2.0, 1.0]), "kd": ([2], [3.0])}
    assert history.learning_rate() == ([1, 2], [0.1, 0.2])
    assert history.score("macc") == ([2, 4, 6], [0.6, 0.7, 0.8])


def test_best_is_the_first_of_equals_as_in_training() -> None:
    history = History.of(RECORDS)
    assert history.best is not None
    assert history.best["step"] == 2
    assert history.last is not None
    assert history.last["step"] == 6


def test_time_and_energy_are_those_of_the_newest_line_and_the_usual_step() -> None:
    timed = [{"step": step, "losses": {}, "lr": 0, "seconds": 2.0 * step, "gpu_joules": step} for step in (1, 2, 4)]
    history = History.of([*timed, {"step": 4, "miou": 0.5, "seconds": 20.0, "gpu_joules": 9}])
    assert history.step_seconds() == 2.0
    assert (history.spent("seconds"), history.spent("gpu_joules"), history.spent("cpu_joules")) == (20.0, 9, None)
    history = History.of(RECORDS)
    assert (history.step_seconds(), history.spent("seconds")) == (None, None)


def test_a_run_that_has_written_nothing() -> None:
    history = History.of([])
    assert (history.best, history.last, history.losses(), history.learning_rate()) == (None, None, {}, ([], []))
