"""Several runs side by side: scores and cost, what their configs differ in, and the IoU of each class."""

from typing import Any

from train.flat_config import flat_config
from train.quantities import duration, energy, with_prefix
from train.run_summary import RunSummary
from train.table import NOTHING, Table, escaped, markdown

_OF_THE_PLACE = {"name", "out", "resume", "overwrite", "profile", "trackers"}
"""Keys that say where a run lies and who watches it."""


class Comparison:
    """Runs of the same classes; the first one is what the others are compared with."""

    def __init__(self, runs: list[RunSummary]) -> None:
        self.runs = runs
        names = [summary.config.name for summary in runs]
        self.names = names if len(set(names)) == len(names) else [str(summary.run.root) for summary in runs]

    @property
    def warning(self) -> str:
        """Why the scores cannot be compared; empty where they can."""
        splits = [f"{summary.val_set.name} ({len(summary.val_set)} images)" for summary in self.runs]
        if len(set(splits)) == 1:
            return ""
        scored = ", ".join(f"{name} on {split}" for name, split in zip(self.names, splits, strict=True))
        return f"These scores cannot be compared, they are of different images: {scored}."

    @property
    def tables(self) -> list[Table]:
        """All there is to say without a picture."""
        return [self.scores, self.cost, self.classes, self.differences]

    @property
    def scores(self) -> Table:
        """mIoU, mAcc, pixel accuracy and ECE."""
        head = ["run", "mIoU, best", "at step", "mIoU, last", "at step", "mAcc", "pixel accuracy", "ECE"]
        rows = []
        for name, summary in zip(self.names, self.runs, strict=True):
            found, error = summary.scores, summary.inspection.score.reliability.error
            evaluated = [_evaluation(line) for line in (summary.history.best, summary.history.last)]
            rows.append([name, *evaluated[0], *evaluated[1], f"{found.macc:.4f}", f"{found.pixel_accuracy:.4f}"])
            rows[-1].append(NOTHING if error is None else f"{error:.4f}")
        return Table("Scores", head, rows)

    @property
    def cost(self) -> Table:
        """Size, time and energy."""
        head = ["run", "parameters", "MACs of an image", "step", "training", "energy, processors", "energy, GPUs"]
        rows = []
        for name, summary in zip(self.names, self.runs, strict=True):
            spent = summary.spent
            step, seconds = spent["step_seconds"], spent["seconds"]
            times = [
                NOTHING if step is None else f"{1000 * step:.0f} ms",
                NOTHING if seconds is None else duration(seconds),
            ]
            joules = [spent["cpu_joules"], spent["gpu_joules"]]
            energies = [NOTHING if value is None else energy(value) for value in joules]
            sizes = [with_prefix(summary.cost.parameters), with_prefix(summary.cost.macs)]
            rows.append([name, *sizes, *times, *energies])
        return Table(f"Cost ({NOTHING}: not recorded)", head, rows)

    @property
    def classes(self) -> Table:
        """The IoU of each class, and how far it is from that of the first run."""
        all_iou = [summary.scores.class_iou for summary in self.runs]
        rows = []
        for name in self.runs[0].val_set.classes:
            first = all_iou[0][name]
            others = [_with_difference(iou[name], first) for iou in all_iou[1:]]
            rows.append([name, NOTHING if first is None else f"{first:.4f}", *others])
        return Table("IoU of each class", ["class", *self.names], rows)

    @property
    def differences(self) -> Table:
        """The keys of the configs whose values are not the same in all runs."""
        configs = [flat_config(summary.config.model_dump(mode="json")) for summary in self.runs]
        keys = dict.fromkeys(key for config in configs for key in config)
        rows = [[key, *(str(config.get(key, NOTHING)) for config in configs)] for key in keys]
        differing = [row for row in rows if row[0].split(".")[0] not in _OF_THE_PLACE and len(set(row[1:])) > 1]
        return Table("What the configs differ in", ["key", *self.names], differing)

    def record(self) -> dict[str, Any]:
        """All numbers, for a machine."""
        first = self.runs[0].scores.class_iou
        deltas = [
            {name: _minus(iou, first[name]) for name, iou in summary.scores.class_iou.items()} for summary in self.runs
        ]
        return {
            "runs": [summary.record() for summary in self.runs],
            "class_iou_against_first": dict(zip(self.names, deltas, strict=True)),
            "config": {row[0]: dict(zip(self.names, row[1:], strict=True)) for row in self.differences.rows},
        }

    def markdown(self) -> str:
        """The tables, for a document."""
        warning = f"{escaped(self.warning)}\n\n" if self.warning else ""
        return warning + "\n".join(markdown(table) for table in self.tables)


def _evaluation(line: dict[str, Any] | None) -> list[str]:
    return [NOTHING, NOTHING] if line is None else [f"{line['miou']:.4f}", str(line["step"])]


def _with_difference(value: float | None, first: float | None) -> str:
    difference = _minus(value, first)
    shown = NOTHING if value is None else f"{value:.4f}"
    return shown if difference is None else f"{shown} ({difference:+.4f})"


def _minus(value: float | None, other: float | None) -> float | None:
    return None if value is None or other is None else value - other
