"""What pruning changed, for a person and for a machine: ``pruning.json`` in the run of the pruned network."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError
from rich.table import Table

from train.durable import atomic_path
from train.errors import UserError
from train.models.config import ModelConfig
from train.pruning.channels import Scope
from train.quantities import with_prefix
from train.run_directory import PRUNING


class Size(BaseModel):
    """A network, as it was measured."""

    model_config = ConfigDict(extra="forbid")

    parameters: int
    macs: int
    """Of one image."""
    ms: float
    """Of one image, in PyTorch; both networks in turn."""
    miou: float
    """On the val split."""


class PruningRecord(BaseModel):
    """One pruning."""

    model_config = ConfigDict(extra="forbid")

    run: str
    """The run whose network was pruned, and which of its checkpoints."""
    checkpoint: str
    target: str
    scope: Scope
    ratio: float
    """Share of the channels that went."""
    model: ModelConfig
    unpruned: Size
    pruned: Size
    """Before it has learnt again."""
    miou_distilled: float | None = None
    """Best afterwards."""

    @classmethod
    def read(cls, run: Path) -> "PruningRecord":
        """`UserError` if the run is not one of a pruned network."""
        path = run / PRUNING
        try:
            return cls.model_validate_json(path.read_bytes())
        except (OSError, ValidationError):
            raise UserError(f"{path}: cannot be read: this run is none of train.prune: give another --name") from None

    def write(self, run: Path) -> None:
        """Put it into the folder of a run."""
        with atomic_path(run / PRUNING) as path:
            path.write_text(self.model_dump_json(indent=2) + "\n", encoding="utf-8")

    def check_same(self, other: "tuple[str, str, str, Scope]") -> None:
        """`UserError` unless run, checkpoint, target and scope are those that were asked for."""
        names = ("run", "checkpoint", "target", "scope")
        for name, own, asked in zip(names, (self.run, self.checkpoint, self.target, self.scope), other, strict=True):
            if own != asked:
                raise UserError(f"cannot resume: pruned with {name} {own}, not {asked}: give the same, or a new --name")


def table(record: PruningRecord) -> Table:
    """Both networks; shares of the unpruned one in brackets."""
    shown = Table(title=f"{record.model.title}, {record.ratio:.0%} of the channels gone", title_justify="left")
    shown.add_column("network")
    for column in ("parameters", "MACs", "ms, PyTorch", "val mIoU"):
        shown.add_column(column, justify="right")
    whole, left = record.unpruned, record.pruned
    shown.add_row(
        "unpruned", with_prefix(whole.parameters), with_prefix(whole.macs), f"{whole.ms:.2f}", f"{whole.miou:.4f}"
    )
    shown.add_row(
        "pruned",
        f"{with_prefix(left.parameters)} ({left.parameters / whole.parameters:.2f})",
        f"{with_prefix(left.macs)} ({left.macs / whole.macs:.2f})",
        f"{left.ms:.2f} ({left.ms / whole.ms:.2f})",
        f"{left.miou:.4f}",
    )
    if record.miou_distilled is not None:
        shown.add_row("pruned, distilled", "", "", "", f"{record.miou_distilled:.4f}")
    return shown
