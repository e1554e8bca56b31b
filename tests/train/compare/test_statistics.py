import math
import time
import warnings

import numpy as np
import pytest
from scipy import stats

from train.compare.results import RunScores
from train.compare.statistics import class_differences, difference, miou_of, scalar_difference
from train.errors import UserError
from train.metrics import ConfusionMatrix, scores

IMAGES, CLASSES = 40, 3


def run_of(seed: int, matrices: np.ndarray) -> RunScores:
    names = [f"class {number}" for number in range(matrices.shape[-1])]
    matrix = ConfusionMatrix(len(names))
    matrix.counts = matrices.sum(axis=0)
    found = scores(matrix, names)
    return RunScores(
        run=f"runs/{seed}", digest="", seed=seed, step=1, miou=found.miou, last_miou=found.miou, macc=found.macc,
        pixel_accuracy=found.pixel_accuracy, class_iou=found.class_iou, boundary_f=None, tc=None, flips_per_s=None,
        seconds=None, cpu_joules=None, gpu_joules=None, matrices=matrices,
    )  # fmt: skip


def random_arm(seeds: int, skill: float = 0.0, images: int = IMAGES, start: int = 0) -> list[RunScores]:
    """Matrices with more on the diagonal the greater the skill, which varies between images and seeds."""
    runs = []
    for seed in range(seeds):
        random = np.random.default_rng([start, seed])
        matrices = random.integers(0, 100, (images, CLASSES, CLASSES))
        own = 100 * (1 + skill + 0.05 * random.standard_normal())
        matrices += np.round(np.eye(CLASSES) * own * random.uniform(0.5, 1.5, (images, 1, 1))).astype(np.int64)
        runs.append(run_of(seed, matrices))
    return runs


def hits_and_misses(hits: np.ndarray) -> np.ndarray:
    """Of 10,000 pixels of the only class that is labelled, as many: IoU is the share, and mIoU half of it."""
    matrices = np.zeros((len(hits), 2, 2), np.int64)
    matrices[:, 0, 0], matrices[:, 0, 1] = hits, 10_000 - hits
    return matrices


def test_miou_is_that_of_the_scores() -> None:
    matrices = np.random.default_rng(0).integers(0, 9, (2, 5, 4, 4))
    matrices[0, 1, 2], matrices[0, 1, :, 2] = 0, 0  # neither labelled nor predicted
    matrices[1, 2] = 0
    found = miou_of(matrices)
    assert found.shape == (2, 5)
    for place in np.ndindex(2, 5):
        matrix = ConfusionMatrix(4)
        matrix.counts = matrices[place]
        assert found[place] == pytest.approx(scores(matrix, list("abcd")).miou, abs=1e-15)


def test_mean_and_p_are_those_of_the_paired_t_test() -> None:
    ours, baseline = random_arm(4, 0.3, start=1), random_arm(4, start=2)
    found = difference(ours, baseline, block=1, resamples=50)
    expected = stats.ttest_rel([run.miou for run in ours], [run.miou for run in baseline])
    assert found.p == pytest.approx(expected.pvalue)
    assert found.mean == pytest.approx(np.mean([a.miou - b.miou for a, b in zip(ours, baseline, strict=True)]))
    assert found.seeds == 4
    of_class = class_differences(ours, baseline, block=1, resamples=50)["class 1"]
    assert of_class is not None
    own = [[run.class_iou["class 1"] for run in arm] for arm in (ours, baseline)]
    assert of_class.p == pytest.approx(stats.ttest_rel(*own).pvalue)


def test_runs_are_paired_by_seed_whatever_their_order() -> None:
    ours, baseline = random_arm(4, 0.3, start=1), random_arm(3, start=2)
    found = difference(ours[::-1], baseline, block=2, resamples=50)
    assert found == difference(ours[:3], baseline, block=2, resamples=50)
    assert found.seeds == 3


def test_where_seeds_agree_the_interval_is_that_of_scipys_bootstrap_widened() -> None:
    """Both are drawn; the ends of such intervals vary by about 1 % of their width."""
    ours, baseline = random_arm(1, 0.1, 12, start=1)[0], random_arm(1, 0.0, 12, start=2)[0]
    twice = [[run_of(seed, run.matrices) for seed in (0, 1)] for run in (ours, baseline)]
    found = difference(*twice, block=1)

    def statistic(places: np.ndarray, axis: int) -> np.ndarray:
        drawn = [run.matrices[places].sum(axis=axis - 2) for run in (ours, baseline)]
        return np.asarray(miou_of(drawn[0]) - miou_of(drawn[1]))

    images = (np.arange(12),)
    drawn = stats.bootstrap(images, statistic, n_resamples=10_000, batch=1000, vectorized=True, rng=1)
    deviations = drawn.bootstrap_distribution - drawn.bootstrap_distribution.mean()
    wider = math.sqrt(12 / 11) * stats.t.ppf(0.975, 11) / stats.norm.ppf(0.975)
    low, high = found.mean + wider * np.quantile(deviations, [0.025, 0.975])
    assert found.low == pytest.approx(low, abs=0.04 * (high - low))
    assert found.high == pytest.approx(high, abs=0.04 * (high - low))
    assert found.p is None  # no spread to compare with


def test_where_images_agree_the_interval_is_students() -> None:
    shares = [0.52, 0.50, 0.57]
    ours = [run_of(seed, hits_and_misses(np.full(8, 10_000 * share))) for seed, share in enumerate(shares)]
    baseline = [run_of(seed, hits_and_misses(np.full(8, 5_000))) for seed in range(3)]
    found = difference(ours, baseline, block=2)
    by_seed = [(share - 0.5) / 2 for share in shares]
    low, high = stats.t.interval(0.95, 2, np.mean(by_seed), stats.sem(by_seed))
    assert (found.low, found.high) == pytest.approx((low, high), rel=0.01)


def test_neighbours_that_are_alike_are_no_evidence_of_their_own() -> None:
    """Forty stretches of four like images are worth forty, not 160: intervals half as wide hold the truth in 67 %."""
    random, held = np.random.default_rng(0), {1: 0, 16: 0}
    for _ in range(300):
        hits = (5_000 + random.normal(0, 900, 40)).round().repeat(4)
        ours = [run_of(seed, hits_and_misses(hits)) for seed in (0, 1)]
        baseline = [run_of(seed, hits_and_misses(np.full(160, 5_000))) for seed in (0, 1)]
        for block in held:
            found = difference(ours, baseline, block, resamples=400)
            held[block] += not found.shown
    assert held[1] / 300 < 0.75
    assert held[16] / 300 > 0.88


@pytest.mark.parametrize(("seeds", "of_seeds", "of_images"), [(2, 200, 0), (3, 200, 0), (3, 100, 900), (5, 200, 900)])
def test_intervals_hold_the_truth_as_often_as_they_say(seeds: int, of_seeds: float, of_images: float) -> None:
    """In 600 simulations a share of 0.95 comes out with a standard error of 0.009."""
    random = np.random.default_rng(0)
    baseline = [run_of(seed, hits_and_misses(np.full(30, 5_000))) for seed in range(seeds)]
    held, held_by_drawn_seeds = 0, 0
    for _ in range(600):
        hits = 5_000 + random.normal(0, of_images, 30) + random.normal(0, of_seeds, (seeds, 1))
        ours = [run_of(seed, hits_and_misses(own.round())) for seed, own in enumerate(hits)]
        held += not difference(ours, baseline, block=1, resamples=400).shown
        held_by_drawn_seeds += hits.mean(axis=1).min() <= 5_000 <= hits.mean(axis=1).max()
    assert 0.925 <= held / 600 <= 0.985
    assert of_images or held_by_drawn_seeds / 600 < 0.8  # the whole range that a mean of drawn seeds can have


def test_the_same_runs_differ_in_nothing() -> None:
    arm = random_arm(3)
    found = difference(arm, arm, block=4, resamples=100)
    assert (found.mean, found.low, found.high, found.p) == (0, 0, 0, None)
    assert not found.shown


def test_a_difference_is_shown_where_the_interval_excludes_zero() -> None:
    better, same = random_arm(3, 1.0, start=1), random_arm(3, start=3)
    baseline = random_arm(3, start=2)
    assert difference(better, baseline, block=4, resamples=1000).shown
    assert difference(baseline, better, block=4, resamples=1000).shown
    assert not difference(same, baseline, block=4, resamples=1000).shown


def test_swapped_arms_differ_by_the_sign() -> None:
    ours, baseline = random_arm(3, 0.2, start=1), random_arm(3, start=2)
    found, swapped = difference(ours, baseline, 4, resamples=200), difference(baseline, ours, 4, resamples=200)
    assert (swapped.mean, swapped.low, swapped.high) == pytest.approx((-found.mean, -found.high, -found.low))  # type: ignore[operator]


def test_the_same_seed_draws_the_same() -> None:
    arms = random_arm(3, 0.2, start=1), random_arm(3, start=2)
    assert difference(*arms, 4, seed=5, resamples=200) == difference(*arms, 4, seed=5, resamples=200)
    assert difference(*arms, 4, seed=5, resamples=200) != difference(*arms, 4, seed=6, resamples=200)


def test_one_seed_shows_nothing() -> None:
    arms = random_arm(1, 2.0, start=1), random_arm(1, start=2)
    for found in (difference(*arms, 1), class_differences(*arms, 1)["class 0"], scalar_difference([0.9], [0.1])):
        assert found is not None
        assert (found.low, found.high, found.p, found.shown) == (None, None, None, False)
        assert found.mean > 0.1


def test_classes_that_come_in_few_images_or_in_none() -> None:
    arms = random_arm(3, 0.2, start=1), random_arm(3, start=2)
    for arm in arms:
        for number, run in enumerate(arm):
            matrices = run.matrices.copy()
            matrices[5:, 2], matrices[5:, :, 2] = 0, 0  # in the first five: not in every draw
            matrices[:, 1], matrices[:, :, 1] = 0, 0
            arm[number] = run_of(run.seed, matrices)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = class_differences(*arms, block=5, resamples=300)
    assert found["class 1"] is None
    rare = found["class 2"]
    assert rare is not None
    assert rare.low is not None
    assert rare.high is not None
    assert rare.low < rare.mean < rare.high


def test_scalars_have_students_interval() -> None:
    ours, baseline = [0.52, 0.55, 0.58], [0.5, 0.51, 0.52]
    found = scalar_difference(ours, baseline)
    by_seed = np.subtract(ours, baseline)
    low, high = stats.t.interval(0.95, 2, by_seed.mean(), stats.sem(by_seed))
    assert (found.low, found.high) == pytest.approx((low, high))
    assert found.p == pytest.approx(stats.ttest_rel(ours, baseline).pvalue)
    with pytest.raises(ValueError, match="3 scores cannot be paired with 2"):
        scalar_difference(ours, baseline[:2])


def test_what_cannot_be_paired_is_said() -> None:
    arm, other = random_arm(2), [run_of(seed + 5, run.matrices) for seed, run in enumerate(random_arm(2))]
    with pytest.raises(UserError, match=r"no seed in common: \[0, 1\] and \[5, 6\]: train both"):
        difference(arm, other, 1)
    with pytest.raises(UserError, match=r"runs/0: its 30 images or 3 classes are not those of runs/0, 40 and 3"):
        difference(arm, random_arm(2, images=30), 1)
    for block in (0, 21):
        with pytest.raises(UserError, match=rf"block: {block} of 40 images: from 1 to half of them"):
            difference(arm, arm, block)


def test_a_comparison_on_camvid_takes_no_more_than_seconds() -> None:
    random = np.random.default_rng(0)
    arms = [[run_of(seed, random.integers(0, 9999, (101, 11, 11))) for seed in range(3)] for _ in range(2)]
    start = time.process_time()
    difference(*arms, 10)
    class_differences(*arms, 10)
    assert time.process_time() - start < 3
