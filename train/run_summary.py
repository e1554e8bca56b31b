"""All that is known of a trained run: what it wrote while it trained, its size, and one look at its val split."""

import json
from dataclasses import asdict, dataclass
from typing import Any

from train.agreement import OUTCOMES
from train.config import RunConfig
from train.data.dataset import Dataset
from train.data.resize import Size
from train.history import History
from train.inspection import Inspection, inspect
from train.meter import OF_THE_RUN
from train.metrics import Scores, scores
from train.models.build import Cost, cost
from train.models.network import SegmentationNetwork, is_opaque
from train.run_directory import RunDirectory


@dataclass(frozen=True)
class RunSummary:
    """A run, to be put on a page or beside others."""

    run: RunDirectory
    config: RunConfig
    environment: dict[str, Any]
    history: History
    val_set: Dataset
    size: Size
    """Height and width of the network's input, pixels."""
    cost: Cost
    teacher_cost: Cost | None
    inspection: Inspection

    @property
    def scores(self) -> Scores:
        """Of the inspected network."""
        return scores(self.inspection.score.matrix, self.val_set.classes)

    @property
    def spent(self) -> dict[str, float | None]:
        """Seconds of a step and of the whole training, joules of CPUs and GPUs; None: not on record."""
        return {"step_seconds": self.history.step_seconds(), **{key: self.history.spent(key) for key in OF_THE_RUN}}

    def record(self) -> dict[str, Any]:
        """All numbers, for a machine."""
        best, last, seen = self.history.best, self.history.last, self.inspection
        return {
            "run": str(self.run.root),
            "name": self.config.name,
            "dataset": self.val_set.name,
            "size": list(self.size),
            "best": {"step": best["step"], "miou": best["miou"]} if best else None,
            "last": {"step": last["step"], "miou": last["miou"]} if last else None,
            **asdict(self.scores),
            "calibration_error": seen.score.reliability.error,
            "teacher_calibration_error": seen.teacher.reliability.error if seen.teacher else None,
            "pixels": dict(zip(OUTCOMES, seen.outcomes.tolist(), strict=True)) if seen.teacher else None,
            "worst_images": {case.sample.name: case.miou for case in seen.worst},
            **asdict(self.cost),
            "teacher": asdict(self.teacher_cost) if self.teacher_cost else None,
            **self.spent,
        }


def summarize(
    run: RunDirectory,
    network: SegmentationNetwork,
    val_set: Dataset,
    size: Size,
    teacher: SegmentationNetwork | None = None,
) -> RunSummary:
    """Read what ``run`` wrote, and look at ``val_set`` through ``network`` and its teacher."""
    return RunSummary(
        run=run,
        config=run.config(),
        environment=json.loads((run.root / "env.json").read_text(encoding="utf-8")),
        history=History.of(run.records()),
        val_set=val_set,
        size=size,
        cost=cost(network, size),
        teacher_cost=cost(teacher, size) if teacher and not is_opaque(teacher) else None,
        # Where the teacher says what is right, there is nothing to compare it with.
        inspection=inspect(network, val_set, size, None if run.config().data.taught else teacher),
    )
