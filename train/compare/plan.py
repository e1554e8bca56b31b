"""How much of a comparison fits into a budget, and what it will therefore not be able to show."""

import json
import math
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace

from scipy.stats import t as student_t

from train.compare.arms import ArmConfig
from train.compare.config import CompareConfig
from train.compare.pace import Pace, measured
from train.durable import atomic_path
from train.errors import UserError
from train.progress import progress
from train.quantities import duration

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_FEW_SEEDS = 3


@dataclass(frozen=True)
class Plan:
    """Trials and seeds of every arm."""

    trials: int
    seeds: list[int]
    seconds: float | None = None
    """What all of it is expected to take, by the machine's pace; None: nobody asked."""
    budget: str = ""
    asked: tuple[int, int] = (0, 0)
    """Trials and seeds that the config wants."""

    @property
    def notes(self) -> list[str]:
        """What cannot be shown, a sentence each."""
        found = []
        if self.trials < self.asked[0]:
            found.append(f"The budget of {self.budget} has room for {self.trials} of {self.asked[0]} trials an arm.")
            found += ["Differences in how well arms are tuned stay."] if self.trials > 1 else []
        if self.trials == 1:
            found.append("Nothing is tuned: a difference may be one of how well the recipe suits each arm.")
        if len(self.seeds) < self.asked[1]:
            found.append(f"The budget of {self.budget} has room for {len(self.seeds)} of {self.asked[1]} seeds.")
        return [*found, _power(len(self.seeds))]


def make_plan(config: CompareConfig, arms: Sequence[ArmConfig], until: float = math.inf) -> Plan:
    """The plan of a comparison: all of it, or what fits into its budget; the same when it is asked for again.

    Args:
        config: of the comparison.
        arms: all but the controls.
        until: when the budget ends, as `time.monotonic` counts; default: it is whole.

    Raises:
        UserError: not even one trial and one seed of each arm fit.
    """
    whole = Plan(config.tuning.trials, config.seeds, asked=(config.tuning.trials, len(config.seeds)))
    if not config.budget:
        return whole
    path = config.root / "plan.json"
    if path.is_file():
        earlier = Plan(**json.loads(path.read_text(encoding="utf-8")))
        is_the_same = (earlier.budget, tuple(earlier.asked)) == (config.budget, whole.asked)
        if is_the_same and earlier.seeds == config.seeds[: len(earlier.seeds)]:
            return replace(earlier, asked=whole.asked)
    paces = [measured(arm) for arm in progress(arms, "pace", len(arms))]
    room_s = min(budget_s(config), until - time.monotonic())
    plan = fitting(config, arms, paces, replace(whole, budget=config.budget), room_s)
    config.root.mkdir(parents=True, exist_ok=True)
    with atomic_path(path) as target:
        target.write_text(json.dumps(asdict(plan), indent=2) + "\n", encoding="utf-8")
    return plan


def budget_s(config: CompareConfig) -> float:
    """The budget in seconds; none: infinite."""
    found = re.fullmatch(r"([\d.]+)([smhd])", config.budget)
    return float(found[1]) * _UNITS[found[2]] if found else math.inf


def fitting(
    config: CompareConfig, arms: Sequence[ArmConfig], paces: Sequence[Pace], whole: Plan, room_s: float
) -> Plan:
    """The fullest plan that fits.

    Args:
        config: of the comparison.
        arms: all but the controls.
        paces: of each of them.
        whole: what the config wants.
        room_s: what is left of the budget, seconds.

    Raises:
        UserError: not even one trial and one seed of each arm fit.
    """
    seconds = 0.0
    for trials, seeds in _choices(*whole.asked):
        seconds = _seconds(config, arms, paces, trials, seeds)
        if seconds <= room_s:
            return replace(whole, trials=trials, seeds=whole.seeds[:seeds], seconds=round(seconds))
    raise UserError(
        f"--budget {config.budget}: one trial and one seed of {len(arms)} arms take {duration(seconds)} here: give "
        "more, fewer methods, or fewer --recipe.loop.steps"
    )


def _choices(trials: int, seeds: int) -> Iterator[tuple[int, int]]:
    """Trials and seeds, fewer and fewer: first seeds beyond three are spared, then trials, then the other seeds."""
    few = min(_FEW_SEEDS, seeds)
    yield from ((trials, kept) for kept in range(seeds, few, -1))
    yield from ((tried, few) for tried in range(trials, 0, -1))
    yield from ((1, kept) for kept in range(few - 1, 0, -1))


def _seconds(config: CompareConfig, arms: Sequence[ArmConfig], paces: Sequence[Pace], trials: int, seeds: int) -> float:
    """What trials, final runs, controls and scores are expected to take."""
    whole = [pace.run_s(arm.base.loop.steps, arm.base.loop.eval_every) for arm, pace in zip(arms, paces, strict=True)]
    total = 0.0
    for arm, pace, run_s in zip(arms, paces, whole, strict=True):
        finals_s = seeds * run_s
        scored = seeds
        if arm.kind == "baseline" and config.control:
            dearest = max(other_s for other, other_s in zip(arms, whole, strict=True) if other.student == arm.student)
            finals_s += seeds * (dearest if config.longer is None else config.longer * run_s)
            scored += seeds
        splits = 2 if config.test_split else 1
        total += arm.steps_of(trials) / arm.base.loop.steps * run_s + finals_s + scored * splits * pace.score_s
    return max(pace.fresh_s for pace in paces) + total / config.processes


def _power(seeds: int) -> str:
    """How small a difference can be shown, by the interval of Student's t."""
    if seeds == 1:
        return "With one seed no difference between methods can be shown."
    widths = float(student_t.ppf(0.975, seeds - 1)) / math.sqrt(seeds)
    return (
        f"With {seeds} seeds a difference can be shown where it is above about {widths:.1f} times the standard "
        "deviation of the seeds' differences."
    )
