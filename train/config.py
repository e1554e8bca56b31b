"""The whole config of a training run."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from train.data.spec import DataConfig
from train.losses.cross_entropy import CrossEntropyConfig
from train.losses.kd import KdConfig
from train.losses.registry import AnyLossConfig
from train.models.config import ModelConfig
from train.optimizer import OptimizerConfig
from train.teachers.family import AnyTeacher

TrackerName = Literal["tensorboard", "wandb", "mlflow", "trackio"]


class LoopConfig(BaseModel):
    """How long, how much at once, and how often to look."""

    model_config = ConfigDict(extra="forbid")

    steps: int = Field(default=1000, gt=0, description="optimiser steps of the whole run")
    batch_size: int = Field(default=8, gt=0, description="images a step, of all processes together")
    accumulate: int = Field(
        default=1,
        gt=0,
        description="parts that a process's images go through the networks in; the gradient is that of all at once",
    )
    eval_every: int = Field(default=200, gt=0, description="steps between evaluations on the val split")
    save_every: int = Field(default=100, gt=0, description="steps between checkpoints")
    log_every: int = Field(default=20, gt=0, description="steps between lines in metrics.jsonl")
    workers: int = Field(default=1, ge=0, description="processes that decode and augment, for each that trains")
    threads: int = Field(default=0, ge=0, description="CPU threads of torch; 0: as many as cores")
    device: Literal["auto", "cpu", "cuda"] = Field(default="auto", description="auto: a GPU if there is one")
    amp: bool = Field(default=True, description="mixed precision on a GPU (bf16, or fp16 where there is none)")
    sync_batchnorm: bool = Field(
        default=True, description="several processes: batch norm over the images of all, not over each one's own"
    )
    compile: bool = Field(default=False, description="torch.compile student and teacher: slower first steps, then less")
    channels_last: bool = Field(default=True, description="memory format of images and networks")


class RunConfig(BaseModel):
    """Train a segmentation network, alone or distilled from a teacher. --list-losses shows all losses there are."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(pattern=r"^\w[\w-]*([./]\w[\w-]*)*$", description="name of the run: its folder is OUT/NAME")
    out: Path = Field(default=Path("runs"), description="folder of all runs")
    seed: int = Field(default=0, ge=0, description="seed of weights, order and augmentation")
    resume: bool = Field(default=False, description="go on from the run's newest whole checkpoint")
    overwrite: bool = Field(default=False, description="delete a run of the same name first")
    profile: bool = Field(default=False, description="time 20 steps, print how a step divides, and make no run")
    data: DataConfig = Field(default_factory=DataConfig, description="dataset and augmentation")
    model: ModelConfig = Field(default_factory=ModelConfig, description="the network that is trained")
    teacher: AnyTeacher | None = Field(default=None, description="who teaches; none: no distillation")
    losses: list[AnyLossConfig] = Field(
        default=[CrossEntropyConfig()],
        description="the losses, added up, each with weight and schedule; default where no image has a label: kd",
    )
    optimizer: OptimizerConfig = Field(default_factory=OptimizerConfig, description="optimiser and schedule")
    loop: LoopConfig = Field(default_factory=LoopConfig, description="length and rhythm of the training")
    trackers: list[TrackerName] = Field(
        default=["tensorboard"], description="also shown there; none: metrics.jsonl alone, which is always written"
    )

    @model_validator(mode="after")
    def _kd_where_nothing_has_labels(self) -> "RunConfig":
        if self.data.taught and "losses" not in self.model_fields_set:
            self.losses = [KdConfig(name="kd")]
        return self
