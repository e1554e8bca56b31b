"""The arms of a comparison: each student with each method, and the config of each of their trainings."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from pydantic import ValidationError

from train.compare.config import CompareConfig, SearchSpace
from train.compare.points import search_points, values_at, with_values
from train.compare.results import Kind, Parameters
from train.config import RunConfig
from train.errors import UserError
from train.losses.registry import combined_needs
from train.models.config import ModelConfig
from train.settings import explain

_SHARED = (
    *("name", "out", "seed", "resume", "overwrite", "profile", "trackers", "model", "loop"),
    *(f"data.{key}" for key in ("layout", "root", "train_split", "val_split", "classes", "label_map", "size")),
)
"""Keys and groups that are the same for all arms of a student: with other steps, looks at val, images or sizes, a
difference would not be the method's."""


@dataclass(frozen=True)
class ArmConfig:
    """One student and one method, before any value is searched."""

    comparison: CompareConfig
    student: str
    method: str
    kind: Kind
    base: RunConfig
    space: SearchSpace

    @property
    def name(self) -> str:
        """Of its folder, in that of the comparison."""
        return f"{self.student}/{self.method}"

    @cached_property
    def start(self) -> Parameters:
        """What the config says, unsearched."""
        return values_at(self.base.model_dump(mode="json"), self.space)

    @cached_property
    def points(self) -> list[Parameters]:
        """What its trials try."""
        tuning = self.comparison.tuning
        return search_points(self.space, self.start, tuning.trials, tuning.seed)

    @property
    def rank_after(self) -> int:
        """The step after which trials are ranked, one with an evaluation; the last: none is ended early."""
        loop, stopping = self.base.loop, self.comparison.tuning.stopping
        if stopping is None:
            return loop.steps
        evaluations = max(1, round(stopping.after * loop.steps / loop.eval_every))
        return min(evaluations * loop.eval_every, loop.steps)

    def kept(self, trials: int) -> int:
        """How many of so many trials go on after the ranking."""
        stopping = self.comparison.tuning.stopping
        if stopping is None or self.rank_after == self.base.loop.steps:
            return trials
        return math.ceil(stopping.keep * trials)

    def steps_of(self, trials: int) -> int:
        """Of so many trials together; a single one is not trained, for it has nothing to be chosen from."""
        kept = self.kept(trials)
        return kept * self.base.loop.steps + (trials - kept) * self.rank_after if trials > 1 else 0

    def training(self, run: str, seed: int, parameters: Parameters, steps: int | None = None) -> RunConfig:
        """The config of one of its trainings.

        Args:
            run: the last part of its folder's name.
            seed: of the training.
            parameters: values of the searched keys.
            steps: default: the recipe's.
        """
        values = with_values(self.base.model_dump(mode="json"), parameters)
        values |= {"name": f"{self.comparison.name}/{self.name}/{run}", "out": self.comparison.out, "seed": seed}
        config = _validated(values, f"{self.name} with {parameters}")
        loop = config.loop.model_copy(update={"steps": steps or config.loop.steps})
        return config.model_copy(update={"loop": loop, "resume": True})


def open_arms(config: CompareConfig) -> list[ArmConfig]:
    """All arms but the controls, the baseline of each student first.

    Raises:
        UserError: a method is no training that can be, changes what all share, or searches what there is not.
    """
    _check_shared(config)
    names = sorted(config.methods, key=lambda name: name != config.baseline)  # stable: else in the config's order
    arms = [_arm(config, student, model, name) for student, model in config.students.items() for name in names]
    for arm in arms:
        for parameters in arm.points:
            arm.training("trial", 0, parameters)
    return arms


def longer(baseline: ArmConfig) -> ArmConfig:
    """The control of a baseline: itself, trained for longer."""
    return ArmConfig(
        baseline.comparison, baseline.student, f"{baseline.method}-longer", "longer", baseline.base, baseline.space
    )


def _check_shared(config: CompareConfig) -> None:
    changed = [(f"methods.{name}.config", list(_keys(method.config))) for name, method in config.methods.items()]
    searched = [(f"methods.{name}.search", list(method.search)) for name, method in config.methods.items()]
    for where, keys in [*changed, ("tuning.search", list(config.tuning.search)), *searched]:
        own = next((key for key in keys if any(f"{key}.".startswith(f"{shared}.") for shared in _SHARED)), None)
        if own is not None:
            raise UserError(f"{where}: {own}: is the same for all that is compared: set it with recipe, or students")


def _keys(values: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """Dotted."""
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from _keys(value, f"{prefix}{key}.")
        else:
            yield prefix + key


def _arm(config: CompareConfig, student: str, model: ModelConfig, name: str) -> ArmConfig:
    method = config.methods[name]
    values = _merged(config.recipe.model_dump(mode="json", exclude_unset=True), method.config)
    values["model"] = model.model_dump(mode="json", exclude_unset=True)
    values |= {"trackers": [], "name": config.name}
    base = _validated(values, f"methods.{name}.config")
    needs, is_baseline = combined_needs(base.losses), name == config.baseline
    taught = bool(needs.teacher | needs.neighbour_teacher)
    if is_baseline and taught:
        raise UserError(f"methods.{name}: the baseline has a loss that needs a teacher: it must learn without one")
    if taught and base.teacher is None:
        raise UserError(f"methods.{name}: has a loss that needs a teacher: give one with recipe.teacher")
    if not taught:
        base = base.model_copy(update={"teacher": None})
    space = {**config.tuning.search, **method.search}
    return ArmConfig(config, student, name, "baseline" if is_baseline else "method", base, space)


def _validated(values: Mapping[str, Any], where: str) -> RunConfig:
    try:
        return RunConfig.model_validate(values)
    except ValidationError as error:
        raise UserError(explain(RunConfig, error, where)) from None


def _merged(values: dict[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Groups key by key; everything else, lists too, as the changes say."""
    merged = dict(values)
    for key, value in changes.items():
        inner = merged.get(key)
        merged[key] = _merged(inner, value) if isinstance(inner, dict) and isinstance(value, dict) else value
    return merged
