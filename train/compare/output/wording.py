"""Figures of a comparison as people read them: shares in points of a hundred, differences with what they are worth."""

from typing import NamedTuple

from train.compare.results import Parameters
from train.compare.spread import Spread
from train.compare.statistics import Difference
from train.table import NOTHING

NOT_SHOWN = "no difference shown"
ONE_SEED = "one seed: nothing shown"

EXPLAINED = (
    "Scores are in points of a hundred, mean ± standard deviation over seeds. Best: of the checkpoint that was best on "
    "val; last: of the network after its last step. In brackets stands the 95 % interval of a difference, over seeds "
    "and images, of other scores over seeds alone; where it holds zero, no difference is shown. p is that of the "
    "paired t-test over seeds, the training time a median."
)
MARK = "*"
MARKED = f"Of the classes, {MARK} marks a difference whose interval holds no zero."
COLOURED = "Coloured are the differences whose interval holds no zero; of the others nothing is shown."
CHANCE = "One in twenty such intervals misses the truth by chance; nothing here corrects for how many there are."
_LEAST_P = 0.001


class Unit(NamedTuple):
    """How a score is printed."""

    scale: float
    digits: int


POINTS = Unit(100, 2)
COARSE_POINTS = Unit(100, 1)
PER_SECOND = Unit(1, 3)


def points(share: float | None) -> str:
    """67.12."""
    return NOTHING if share is None else f"{100 * share:.2f}"


def signed(value: float | None, unit: Unit = POINTS) -> str:
    """+3.12 or −0.50, the sign as long as the plus."""
    return NOTHING if value is None else f"{unit.scale * value:+.{unit.digits}f}".replace("-", "−")


def mean(found: Spread | None) -> str:
    """67.12."""
    return points(found.mean if found else None)


def mean_and_std(found: Spread | None, unit: Unit = POINTS) -> str:
    """67.12 ± 0.45; of one seed the value alone."""
    if found is None:
        return NOTHING
    there = [value for value in (found.mean, found.std) if value is not None]
    return " ± ".join(f"{unit.scale * value:.{unit.digits}f}" for value in there)


def verdict(difference: Difference | None, unit: Unit = POINTS) -> str:
    """+3.12 (+1.20 … +5.03), or that none is shown, and then the interval alone."""
    said = gain(difference, unit)
    if difference is None or difference.low is None or difference.high is None:
        return said
    return f"{said} ({signed(difference.low, unit)} … {signed(difference.high, unit)})"


def gain(difference: Difference | None, unit: Unit = POINTS) -> str:
    """+3.12, or that it is not shown."""
    if difference is None:
        return NOTHING
    if difference.seeds == 1:
        return ONE_SEED
    return signed(difference.mean, unit) if difference.shown else NOT_SHOWN


def probability(difference: Difference | None) -> str:
    """The p of the paired test."""
    if difference is None or difference.p is None:
        return NOTHING
    return f"< {_LEAST_P}" if difference.p < _LEAST_P else f"{difference.p:.3f}"


def parameters(values: Parameters) -> str:
    """optimizer.lr 0.002, losses.kd.weight 3."""
    return ", ".join(f"{key} {value}" for key, value in values.items()) or "as in the config"


def listed(names: list[str]) -> str:
    """a, b and c."""
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))
