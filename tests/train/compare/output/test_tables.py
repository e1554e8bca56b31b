"""What tables and headlines say of arms whose differences are known beforehand."""

import dataclasses
import statistics

import pytest

from tests.train.compare.made_results import CLASSES, made_results
from train.compare.findings import ArmFindings, Findings, StudentFindings, find
from train.compare.output.headlines import headline
from train.compare.output.record_tables import record_tables, runs, trials
from train.compare.output.tables import among_methods, classes, main_tables, other_scores, scores, students
from train.compare.output.wording import MARK, verdict
from train.compare.results import RunScores
from train.compare.statistics import scalar_difference
from train.table import NOTHING, Table

ONE = ("tiny",)


@pytest.fixture(scope="module")
def found() -> Findings:
    return find(made_results())


@pytest.fixture(scope="module")
def one_seed() -> Findings:
    return find(made_results(students=ONE, seeds=(1,)))


def column(table: Table, title: str) -> dict[str, str]:
    return {row[0]: row[table.head.index(title)] for row in table.rows}


def arm(found: StudentFindings, method: str) -> ArmFindings:
    return next(one for one in found.arms if one.method == method)


def test_a_row_an_arm_the_baselines_first_and_then_as_in_the_config(found: Findings) -> None:
    for student in found.students:
        rows = [row[0] for row in scores(student).rows]
        assert rows == ["baseline", "baseline-longer", "kd", "cwd", "fckd", "pfs"]
    assert [table.title for table in main_tables(found)][:2] == ["Students", "tiny: scores on val, and cost"]


def test_scores_are_means_over_seeds_in_points(found: Findings) -> None:
    student = found.students[0]
    table, runs = scores(student), arm(student, "cwd").arm.runs
    values = [100 * run.miou for run in runs]
    spread = f"{statistics.fmean(values):.2f} ± {statistics.stdev(values):.2f}"
    assert column(table, "mIoU, best")["cwd"] == spread
    assert column(table, "training")["cwd"] == "4 min 47 s"  # the median of three
    assert column(table, "steps") | {"baseline-longer": "1200"} == dict.fromkeys(column(table, "steps"), "1200")
    assert not {"TC", "energy, GPUs"} & set(table.head)  # nobody measured them


def test_a_gain_is_printed_only_where_its_interval_holds_no_zero(found: Findings) -> None:
    said = column(scores(found.students[0]), "to baseline")
    gain = found.students[0].arms[3].val.miou.mean - found.students[0].baseline.val.miou.mean
    assert said["cwd"].startswith(f"+{100 * gain:.2f} (+")
    assert said["pfs"].startswith("−")
    assert said["pfs"].count("−") == 3
    assert said["kd"].startswith("no difference shown (−")
    assert said["baseline"] == NOTHING


def test_other_scores_are_compared_with_the_baseline_over_seeds(found: Findings) -> None:
    student = found.students[0]
    table = other_scores(student)
    assert column(table, "mAcc")["cwd"].startswith(column(scores(student), "mAcc")["cwd"])
    ours, base = ([run.boundary_f for run in arm(student, name).arm.runs] for name in ("cwd", "baseline"))
    expected = scalar_difference(*([value or 0 for value in values] for values in (ours, base)))
    assert column(table, "boundary F, to baseline")["cwd"] == verdict(expected)
    assert expected.shown
    assert column(table, "boundary F, to baseline")["kd"].startswith("no difference shown (−")
    assert column(table, "mIoU, last, to baseline")["baseline"] == NOTHING
    assert not any(title.startswith(("TC", "label flips")) for title in table.head)  # these have no clips


def test_label_flips_are_no_shares_and_a_seed_without_them_is_left_out() -> None:
    results = made_results(students=ONE, gains={"baseline": 0.0, "kd": 0.01}, tested=False)
    flips: dict[str, list[float | None]] = {"baseline": [1.3, 1.2, 1.4], "kd": [0.9, 0.81, None]}
    results.arms[:] = [
        dataclasses.replace(one, runs=[dataclasses.replace(run, flips_per_s=own) for run, own in paired])
        for one in results.arms
        for paired in [list(zip(one.runs, flips[one.method], strict=True))]
    ]
    table = other_scores(find(results).students[0])
    assert column(table, "label flips /s, fewer are better")["baseline"] == "1.300 ± 0.100"
    assert column(table, "label flips /s, to baseline")["kd"] == "−0.395 (−0.459 … −0.331)"


def test_methods_are_compared_with_plain_distillation_and_the_longer_baseline(found: Findings) -> None:
    table = among_methods(found.students[0])
    assert table.head == ["method", "to kd", "p, to kd", "to baseline-longer", "p, to baseline-longer"]
    assert column(table, "to kd")["kd"] == NOTHING
    assert column(table, "to kd")["cwd"].startswith("+")
    assert 0 < float(column(table, "p, to baseline-longer")["cwd"]) < 0.05


def test_classes_with_their_differences_and_marks(found: Findings) -> None:
    student = found.students[1]
    table = classes(student)
    assert [row[0] for row in table.rows] == list(CLASSES)
    for name, cell in column(table, "cwd").items():
        difference = arm(student, "cwd").classes[name]
        assert difference is not None
        assert cell == f"{100 * difference.mean:+.2f}".replace("-", "−") + (MARK if difference.shown else "")
    assert any(cell.endswith(MARK) for cell in column(table, "cwd").values())


def test_students_stand_beside_their_teacher(found: Findings) -> None:
    table = students(found)
    best = found.students[0].best
    assert best.method == "cwd"
    assert table.rows[0][:5] == ["tiny", "350 k", "210 M", "6.3 ms", "cwd"]
    assert table.rows[0][-1] == f"−{73.12 - 100 * best.val.miou.mean:.2f}"
    assert table.rows[-1][0] == "teacher: FPN on efficientnet_lite2"


def test_the_test_split_has_tables_only_where_there_is_one(found: Findings) -> None:
    titles = [table.title for table in main_tables(found)]
    assert [title for title in titles if "test split" in title] == [
        f"{name}: the test split, scored once" for name in ("tiny", "lite0")
    ]
    untested = find(made_results(students=ONE, gains={"baseline": 0.0, "kd": 0.01}, tested=False))
    assert not any("test split" in table.title for table in main_tables(untested))


def test_one_seed_shows_nothing_and_has_no_spread(one_seed: Findings) -> None:
    student = one_seed.students[0]
    table = scores(student)
    assert set(column(table, "to baseline").values()) == {NOTHING, "one seed: nothing shown"}
    assert not any("±" in cell for row in table.rows for cell in row)
    assert not any(MARK in cell for row in classes(student).rows for cell in row)
    assert [len(headline(student)), "one seed, so that nothing is shown" in headline(student)[0]] == [1, True]


def test_headlines_say_who_wins_by_how_much_at_what_cost_and_who_does_not(found: Findings) -> None:
    student = found.students[0]
    first, *others = headline(student)
    gains = [100 * arm(student, name).val.against["baseline"].mean for name in ("cwd", "fckd", "pfs")]
    base = 100 * student.baseline.val.miou.mean
    assert first == (
        f"tiny: 2 of 4 methods beat the tuned baseline, whose mIoU is {base:.2f}: "
        f"cwd by {gains[0]:.2f} points in 1.9 times its training time and fckd by {gains[1]:.2f} in 1.7 times."
    )
    assert others == [
        f"Worse than the baseline: pfs by {-gains[2]:.2f} points.",
        "No difference shown: kd.",
        "Trained with 1.8 times the steps, the baseline itself shows no difference.",
        "Shown to beat the baseline trained longer as well: cwd and fckd.",
        "Shown to beat kd as well: cwd and fckd.",
    ]


def test_no_gain_is_claimed_where_none_is_shown() -> None:
    found = find(made_results(students=ONE, gains={"baseline": 0.0, "kd": 0.0005}))
    whose = f"the tuned baseline, whose mIoU is {100 * found.students[0].baseline.val.miou.mean:.2f}"
    assert headline(found.students[0]) == [
        f"tiny: no method is shown to beat {whose}.",
        "No difference shown: kd.",
    ]


def test_a_baseline_that_was_not_tuned_is_not_called_so() -> None:
    results = made_results(students=ONE, gains={"baseline": 0.0, "kd": 0.01})
    results.arms[:] = [dataclasses.replace(one, trials=[]) for one in results.arms]
    assert "tuned" not in " ".join(headline(find(results).students[0]))


def test_every_trial_and_every_run_is_on_record(found: Findings) -> None:
    results = found.results
    table = trials(results)
    assert len(table.rows) == sum(len(arm.trials) for arm in results.arms)
    assert {row[0]: row[4] for row in table.rows if row[1] == "1"}["tiny cwd"] == "ended early"
    assert table.rows[0][2:5] == ["optimizer.lr 0.002", "400: 41.00, 1200: 52.00", "chosen"]
    digests = column(runs(results), "run")
    assert len(runs(results).rows) == 2 * sum(len(arm.runs) for arm in results.arms)
    assert digests["tiny cwd"] == "tiny/cwd/seed-3"
    assert record_tables(results)[0].rows == [["optimizer.lr", "0.001 … 0.01, logarithmic", "all"]]


def test_arms_without_a_seed_in_common_are_shown_uncompared() -> None:
    results = made_results(students=ONE, gains={"baseline": 0.0, "kd": 0.0005, "cwd": 0.06}, seeds=(1, 2))

    def only(seed: int, runs: list[RunScores]) -> list[RunScores]:
        return [run for run in runs if run.seed == seed]

    results.arms[:2] = [
        dataclasses.replace(one, runs=only(seed, one.runs), tested=only(seed, one.tested))
        for seed, one in enumerate(results.arms[:2], 1)
    ]
    student = find(results).students[0]
    table = scores(student)
    assert column(table, "to baseline") == {"baseline": NOTHING, "kd": NOTHING, "cwd": "one seed: nothing shown"}
    assert "kd" not in classes(student).head
