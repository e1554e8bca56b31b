"""What a comparison has found, as data: runs, their arms, and all arms together (no torch)."""

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Kind = Literal["baseline", "longer", "method"]
"""``longer``: the baseline once more, trained for as long as the dearest method takes."""

Parameters = dict[str, float | int | str]
"""A point of the search space, by dotted key of the training's config."""


@dataclass(frozen=True)
class RunScores:
    """One finished training, scored with its best checkpoint on one split. Shares are in 0..1."""

    run: str
    """Its folder, relative to the comparison's."""
    digest: str
    """Of the checkpoint and the config it was trained by: the first 12 hexadecimal digits of a sha256."""
    seed: int
    step: int
    """Of the best checkpoint."""
    miou: float
    last_miou: float
    """Of the network after its last step."""
    macc: float
    pixel_accuracy: float
    class_iou: dict[str, float | None]
    boundary_f: float | None
    """Mean over the classes; None: no class has a boundary in this split."""
    tc: float | None
    """Temporal consistency; None: the split has no clips."""
    flips_per_s: float | None
    """Label flips a second of a pixel that does not move; None: as with `tc`, or the clips have no frame rate."""
    seconds: float | None
    """Of the whole training; these three are None where no meter was read."""
    cpu_joules: float | None
    gpu_joules: float | None
    matrices: NDArray[np.int64] = field(repr=False)
    """Confusion matrices of the images one by one, ``(images, classes, classes)``, rows: label."""


@dataclass(frozen=True)
class TrialRecord:
    """One trial of the tuning."""

    point: int
    """Number of the point; points of the same number agree in the keys that all methods share."""
    parameters: Parameters
    miou: dict[int, float]
    """On the val split, by step."""
    stopped: bool
    """Whether it was ended early, being one of the worse."""
    run: str
    """Its folder, relative to the comparison's."""
    seconds: float | None


@dataclass(frozen=True)
class Arm:
    """One student trained by one method: its tuning, and its final runs with each seed."""

    student: str
    method: str
    """Name; that of the baseline trained longer ends in ``-longer``."""
    kind: Kind
    losses: list[str]
    steps: int
    """Of a final run."""
    trials: list[TrialRecord]
    """By point; none: not tuned, or the parameters are another arm's."""
    parameters: Parameters
    """Of the final runs: those of the best trial."""
    runs: list[RunScores]
    """On the val split, by seed."""
    tested: list[RunScores] = field(default_factory=list)
    """The same on the test split; none: there is no such split."""


@dataclass(frozen=True)
class Student:
    """What does not depend on the method."""

    name: str
    parameters: int
    macs: int
    """Of one image of the comparison's size."""
    latency_ms: float | None
    """Median of one image through its exported bundle, ONNX Runtime on this machine; None: not exported."""


@dataclass(frozen=True)
class Dimension:
    """One key of the search space, as it is printed."""

    key: str
    methods: list[str]
    """Who searches it."""
    values: str
    """Such as ``0.001 … 0.01, logarithmic``."""


@dataclass(frozen=True)
class Results:
    """Everything that tables and pages show."""

    name: str
    command: str
    """What makes this comparison again."""
    dataset: str
    val_images: int
    size: tuple[int, int]
    """Height and width of the network's input, pixels."""
    classes: list[str]
    students: list[Student]
    arms: list[Arm]
    """The baseline of each student before its methods."""
    teacher: dict[str, Any] | None
    """``title``, ``digest`` of its weights, ``miou`` on the val split, ``parameters`` (None for one that cannot be
    counted); None: no teacher."""
    dimensions: list[Dimension]
    seeds: list[int]
    block: int
    """Neighbouring images of the val split that are drawn together when intervals are made."""
    notes: list[str]
    """What the budget left out, and what therefore cannot be shown, a sentence each."""
    config: dict[str, Any]
    """Of the comparison, resolved."""
    environment: dict[str, Any]
    """As in a run's ``env.json``."""

    def arm(self, student: str, method: str) -> Arm:
        """One of the arms."""
        return next(arm for arm in self.arms if (arm.student, arm.method) == (student, method))

    def baseline(self, student: str) -> Arm:
        """What the methods of a student are compared with."""
        return next(arm for arm in self.arms if arm.student == student and arm.kind == "baseline")
