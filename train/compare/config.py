"""What a comparison is, as a config: one recipe, students, methods, seeds, and how all are tuned."""

from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from train.config import RunConfig
from train.models.config import ModelConfig

Word = Annotated[str, Field(pattern=r"^\w[\w-]*$")]
"""A part of a folder's name."""


class DimensionConfig(BaseModel):
    """One key of the search space: a range, or values to choose from."""

    model_config = ConfigDict(extra="forbid")

    low: float | None = Field(default=None, description="least value")
    high: float | None = Field(default=None, description="greatest value")
    log: bool = Field(default=False, description="search evenly in the logarithm")
    choices: list[float | int | str] = Field(default=[], description="or: the values there are")

    @model_validator(mode="after")
    def _is_one_of_both(self) -> "DimensionConfig":
        if self.choices:
            if (self.low, self.high, self.log) != (None, None, False):
                raise ValueError("give low and high, or choices, not both")
        elif self.low is None or self.high is None or not self.low < self.high:
            raise ValueError("give low and a greater high, or choices")
        elif self.log and self.low <= 0:
            raise ValueError("a logarithmic range starts above 0")
        return self


SearchSpace = dict[str, DimensionConfig]


class MethodConfig(BaseModel):
    """How a method departs from the recipe."""

    model_config = ConfigDict(extra="forbid")

    config: dict[str, Any] = Field(default={}, description="keys of the training's config that it changes")
    search: SearchSpace = Field(default={}, description="keys that it searches besides those that all search")


class StoppingConfig(BaseModel):
    """Of the trials of each arm, the same rule for all: the worse ones end early."""

    model_config = ConfigDict(extra="forbid")

    after: float = Field(default=1 / 3, gt=0, lt=1, description="share of the steps after which trials are ranked")
    keep: float = Field(default=0.5, gt=0, le=1, description="share of them that goes on, the better ones")


class TuningConfig(BaseModel):
    """How each method is tuned: with as many trials as any other."""

    model_config = ConfigDict(extra="forbid")

    trials: int = Field(default=4, gt=0, description="points that each arm tries; the first is the config as it is")
    search: SearchSpace = Field(default={}, description="keys that all methods search, the baseline too")
    seed: int = Field(default=0, ge=0, description="of the points, and of the trials' trainings")
    stopping: StoppingConfig | None = Field(default=StoppingConfig(), description="null: all trials are trained whole")


class CompareConfig(BaseModel):
    """Compare methods of training a student: each tuned alike, several seeds, differences with their intervals."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(
        pattern=r"^\w[\w-]*([./]\w[\w-]*)*$", description="name of the comparison: its folder is OUT/NAME"
    )
    out: Path = Field(default=Path("runs"), description="folder of all runs")
    recipe: RunConfig = Field(description="what all arms share: a training's config")
    students: dict[Word, ModelConfig] = Field(min_length=1, description="the networks that are trained")
    methods: dict[Word, MethodConfig] = Field(min_length=1, description="how they are trained; baseline among them")
    baseline: str = Field(default="baseline", description="the method that all others are compared with")
    tuning: TuningConfig = Field(default_factory=TuningConfig, description="how each method is tuned")
    seeds: list[int] = Field(
        default=[1, 2, 3], min_length=1, description="of the final runs; others than that of the tuning"
    )
    longer: float | None = Field(
        default=None,
        ge=0,
        description="the control: the baseline once more, with so many times the steps, 1 or more; 0: no control; "
        "default: as many as fit into the time of the dearest method, which depends on the machine",
    )
    test_split: str = Field(default="", description="scored once, when all is trained; default: there is none")
    block: int = Field(
        default=1, gt=0, description="neighbouring images of the val split that are drawn together; a second of a clip"
    )
    processes: int = Field(default=1, gt=0, description="trainings that run side by side on this machine")
    train: bool = Field(
        default=True, description="train what is missing; off: score and show what is there, while others train, too"
    )
    tables: bool = Field(
        default=True, description="score and write tables at the end; off on further machines, which only train"
    )
    latency: bool = Field(default=True, description="export each student and time the bundle on this machine")
    budget: str = Field(
        default="", pattern=r"^(\d+(\.\d+)?[smhd])?$", description="time for all, 30m or 8h; default: no limit"
    )
    merge: Path | None = Field(default=None, description="a Markdown document that shall hold the tables, too")

    @model_validator(mode="before")
    @classmethod
    def _recipe_has_a_name(cls, given: Any) -> Any:
        if isinstance(given, dict) and isinstance(given.get("recipe"), dict):
            return {**given, "recipe": {"name": given.get("name", "comparison"), **given["recipe"]}}
        return given

    @model_validator(mode="after")
    def _fits_together(self) -> "CompareConfig":
        if self.baseline not in self.methods:
            raise ValueError(f"baseline: '{self.baseline}' is none of the methods: {', '.join(self.methods)}")
        if self.tuning.seed in self.seeds:
            raise ValueError(f"seeds: {self.tuning.seed} is the seed of the tuning: the final runs want others")
        if len(set(self.seeds)) < len(self.seeds):
            raise ValueError("seeds: one is there twice")
        if self.test_split in (self.recipe.data.train_split, self.recipe.data.val_split):
            raise ValueError(
                f"test_split: '{self.test_split}' is trained on, or chosen on: name one that is kept from both"
            )
        if f"{self.baseline}-longer" in self.methods:
            raise ValueError(f"methods: '{self.baseline}-longer' is the name of the control: choose another")
        if self.longer is not None and 0 < self.longer < 1:
            raise ValueError(f"longer: {self.longer:g} times the steps are fewer: give 1 or more, or 0 for no control")
        return self

    @property
    def control(self) -> bool:
        """Whether the baseline is trained once more, for longer."""
        return self.longer != 0

    @property
    def root(self) -> Path:
        """The comparison's folder."""
        return self.out / self.name
