"""Whether two arms differ: intervals and tests of paired runs (no torch)."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from train.compare.results import RunScores
from train.errors import UserError

RESAMPLES = 10_000
LEVEL = 0.95

_AT_ONCE = 500  # resamples: bounds the memory of datasets with many images and classes

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Difference:
    """How much higher one arm scores than another, in the score's own unit."""

    mean: float
    """Over the seeds that both have."""
    low: float | None
    """Of the interval; None: one seed, from which nothing follows about others."""
    high: float | None
    p: float | None
    """Of the two-sided paired t-test over the seeds; None: one seed, or the same difference with each."""
    seeds: int

    @property
    def shown(self) -> bool:
        """Whether the interval excludes zero."""
        return self.low is not None and self.high is not None and (self.low > 0 or self.high < 0)


def miou_of(matrices: NDArray[np.int64]) -> Floats:
    """mIoU of each of the confusion matrices ``(..., C, C)``, as `train.metrics.scores` has it: ``(...)``."""
    return _mean_occurring(_iou(_counts(matrices)))


def difference(
    ours: Sequence[RunScores],
    baseline: Sequence[RunScores],
    block: int,
    seed: int = 0,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
) -> Difference:
    """The difference of mIoU, with an interval that allows for other seeds and other images.

    Runs are paired by seed, images by position. d_i is the difference of mIoU of seed i over all images; D and s are
    the mean and the standard deviation of d_1 … d_n. The interval ends at the percentiles of

        D + c (D* - E D*) + T s / √n

    where two things vary, each by itself:

    - Images: D* is D over images drawn with replacement, the same ones for all runs. Neighbours in a clip are alike, so
      they are drawn in blocks of ``block`` that begin anywhere: the moving-block bootstrap of Künsch, "The Jackknife
      and the Bootstrap for General Stationary Observations", Annals of Statistics 17(3), 1989,
      https://doi.org/10.1214/aos/1176347265. Images at both ends are in fewer blocks, and mIoU is no mean over images,
      so D* is a little off on average: its mean E D* is subtracted, and the interval lies around D. Percentiles of few
      draws are too narrow, as Hesterberg shows, "What Teachers Should Know About the Bootstrap", American Statistician
      69(4), 2015, https://doi.org/10.1080/00031305.2015.1089789; they are stretched to the width of t as he proposes,
      c = √(k / (k - 1)) t / z with the quantiles t of Student with k - 1 degrees of freedom and z of the normal, where
      k = images / block is how many blocks there are.
    - Seeds: T has Student's t distribution with n - 1 degrees of freedom. Seeds are not drawn: stretched in the same
      way, the few values that so few draws have come to 95 % for three normal d_i, but to 93 % for two. T is right for
      any number, and where images do not matter the interval is that of the paired t-test.

    As far as images favour one seed over another, s holds their chance as well as D* does: the interval is then rather
    too wide. It is too narrow where images are alike over more than a block. With one seed nothing is known of others,
    and there is no interval: one of images alone would claim that training again gives the same.

    Args:
        ours: runs of one arm; those of seeds that the other does not have are left out.
        baseline: runs of the other.
        block: neighbouring images that are drawn together, at most half of all.
        seed: of the draws; the same one gives the same interval.
        resamples: draws of images.
        level: of the interval, 0..1.

    Raises:
        UserError: no seed in common, other images or classes, or a block that is too long.
    """
    return _differences(ours, baseline, lambda iou: _mean_occurring(iou)[..., None], block, seed, resamples, level)[0]


def class_differences(
    ours: Sequence[RunScores],
    baseline: Sequence[RunScores],
    block: int,
    seed: int = 0,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
) -> dict[str, Difference | None]:
    """The difference of each class's IoU, as `difference`, from the same draws; errors as there.

    A draw without the class says nothing of it. None: with some seed an arm has no IoU of the class.
    """
    found = _differences(ours, baseline, lambda iou: iou, block, seed, resamples, level)
    return {name: None if np.isnan(one.mean) else one for name, one in zip(ours[0].class_iou, found, strict=True)}


def scalar_difference(ours: Sequence[float], baseline: Sequence[float], level: float = LEVEL) -> Difference:
    """The difference of scores that are one number a run, paired by position: the paired t interval.

    It allows for other seeds, not for other images.

    Raises:
        ValueError: not as many of one as of the other, or none.
    """
    if len(ours) != len(baseline) or not ours:
        raise ValueError(f"{len(ours)} scores cannot be paired with {len(baseline)}")
    by_seed = np.asarray(ours, np.float64) - np.asarray(baseline, np.float64)
    mean, n = float(by_seed.mean()), len(by_seed)
    if n == 1:
        return Difference(mean, None, None, None, 1)
    margin = float(stats.t.ppf((1 + level) / 2, n - 1) * _standard_error(by_seed))
    return Difference(mean, mean - margin, mean + margin, _p(by_seed), n)


class _Counts(NamedTuple):
    """Pixels of each class, the last axis: ``(..., C)``."""

    hits: Floats
    unions: Floats


def _counts(matrices: NDArray[np.int64]) -> _Counts:
    hits = np.diagonal(matrices, axis1=-2, axis2=-1).astype(np.float64)
    return _Counts(hits, matrices.sum(axis=-1) + matrices.sum(axis=-2) - hits)


def _iou(counts: _Counts) -> Floats:
    """NaN: the class occurs neither in labels nor in predictions."""
    nothing = np.full_like(counts.hits, np.nan)
    return np.divide(counts.hits, counts.unions, out=nothing, where=counts.unions > 0)


def _mean_occurring(iou: Floats) -> Floats:
    occurs = ~np.isnan(iou)
    return np.asarray(iou.sum(axis=-1, where=occurs) / np.maximum(1, occurs.sum(axis=-1)), np.float64)


def _differences(
    ours: Sequence[RunScores],
    baseline: Sequence[RunScores],
    score: Callable[[Floats], Floats],
    block: int,
    seed: int,
    resamples: int,
    level: float,
) -> list[Difference]:
    """One for each of the K scores that ``score`` makes of IoU: ``(..., C)`` to ``(..., K)``."""
    counts = _paired(ours, baseline)

    def compared(weights: Floats) -> Floats:
        """``(draws, images)`` to differences ``(draws, seeds, K)``."""
        drawn = _Counts(*(np.tensordot(weights, pixels, axes=1) for pixels in counts))
        scores = score(_iou(drawn))
        return np.asarray(scores[:, 0] - scores[:, 1], np.float64)

    images, _, n, _ = counts.hits.shape
    by_seed = compared(np.ones((1, images)))[0]
    random = np.random.default_rng(seed)
    draws = [compared(weights).mean(axis=1) for weights in _draws(images, block, resamples, random)]
    # Each quantile of T once instead of chance ones: less noise, and just the t interval where images do not matter.
    t = random.permutation(stats.t.ppf((np.arange(resamples) + 0.5) / resamples, n - 1)) if n > 1 else None
    stretched = _stretch(images / block, level) * np.concatenate(draws)
    return [_difference(own, drawn, t, level) for own, drawn in zip(by_seed.T, stretched.T, strict=True)]


def _paired(ours: Sequence[RunScores], baseline: Sequence[RunScores]) -> _Counts:
    """Of each image, ``(images, 2, seeds, C)``: ours, then the baseline's."""
    arms = [{run.seed: run for run in runs} for runs in (ours, baseline)]
    seeds = sorted(arms[0].keys() & arms[1].keys())
    if not seeds:
        raise UserError(f"no seed in common: {sorted(arms[0])} and {sorted(arms[1])}: train both with the same seeds")
    first = arms[0][seeds[0]]
    for run in (arm[seed] for arm in arms for seed in seeds):
        if (run.matrices.shape, list(run.class_iou)) != (first.matrices.shape, list(first.class_iou)):
            raise UserError(
                f"{run.run}: its {len(run.matrices)} images or {len(run.class_iou)} classes are not those of "
                f"{first.run}, {len(first.matrices)} and {len(first.class_iou)}: score both on the same split"
            )
    matrices = np.stack([[arm[seed].matrices for seed in seeds] for arm in arms])
    return _counts(np.moveaxis(matrices, 2, 0))


def _draws(images: int, block: int, resamples: int, random: np.random.Generator) -> Iterator[Floats]:
    """How often each image is drawn, ``(draws, images)``: blocks in a row, the last one cut to as many images."""
    if not 1 <= block <= images / 2:
        raise UserError(f"block: {block} of {images} images: from 1 to half of them can be drawn together")
    for start in range(0, resamples, _AT_ONCE):
        draws = min(_AT_ONCE, resamples - start)
        begins = random.integers(0, images - block + 1, (draws, -(-images // block), 1))
        drawn = (begins + np.arange(block)).reshape(draws, -1)[:, :images]
        places = drawn + images * np.arange(draws)[:, None]
        yield np.bincount(places.ravel(), minlength=draws * images).reshape(draws, images).astype(np.float64)


def _stretch(blocks: float, level: float) -> float:
    """By which the percentiles of a bootstrap of so many are widened."""
    quantile = (1 + level) / 2
    return float(np.sqrt(blocks / (blocks - 1)) * stats.t.ppf(quantile, blocks - 1) / stats.norm.ppf(quantile))


def _difference(by_seed: Floats, draws: Floats, t: Floats | None, level: float) -> Difference:
    mean, n = float(by_seed.mean()), len(by_seed)
    if t is None or np.isnan(mean):
        return Difference(mean, None, None, None, n)
    of_images, of_seeds = draws - np.nanmean(draws), t * _standard_error(by_seed)
    # With either sign of T, so that swapped arms have the same interval but for its sign.
    deviations = np.concatenate([of_images + of_seeds, of_images - of_seeds])
    low, high = mean + np.nanquantile(deviations, [(1 - level) / 2, (1 + level) / 2])
    return Difference(mean, float(low), float(high), _p(by_seed), n)


def _standard_error(by_seed: Floats) -> float:
    return float(by_seed.std(ddof=1) / np.sqrt(len(by_seed)))


def _p(by_seed: Floats) -> float | None:
    """As `scipy.stats.ttest_rel`, which warns where all differences are the same."""
    error = _standard_error(by_seed)
    return float(2 * stats.t.sf(abs(by_seed.mean()) / error, len(by_seed) - 1)) if error else None
