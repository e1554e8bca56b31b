"""What a comparison with PyTorch came to, for people (no torch)."""

from collections.abc import Iterator, Mapping

from rich import box
from rich.table import Table

from export.manifest import Accuracy

_SHOWN = 5


def proof_table(accuracies: Mapping[str, Accuracy | None]) -> Table:
    """What was measured of each file, by role."""
    shown = {role: accuracy for role, accuracy in accuracies.items() if accuracy is not None}
    first = next(iter(shown.values()), None)
    title = f"verified on {first.images} images of {first.dataset}, {first.split}" if first else "nothing verified"
    table = Table(title=title, title_justify="left", box=box.SIMPLE, pad_edge=False)
    for column in ("file", "agreement", "at edges", "differ", "by", "logits", "mIoU"):
        table.add_column(column, justify="left" if column == "file" else "right", no_wrap=True)
    for role, accuracy in shown.items():
        table.add_row(role, *_cells(accuracy))
    return table


def pixel_lines(role: str, accuracy: Accuracy) -> Iterator[str]:
    """A line for each of the few pixels of another class that PyTorch is surest of."""
    for pixel in accuracy.pixels[:_SHOWN]:
        yield (
            f"{role}: {pixel.picture} row {pixel.row} column {pixel.column}: {pixel.pytorch} in PyTorch "
            f"by {pixel.margin:.1e}, {pixel.file} in the file"
        )


def _cells(accuracy: Accuracy) -> list[str]:
    def number(value: float | None, form: str) -> str:
        return "-" if value is None else f"{value:{form}}"

    return [
        f"{accuracy.agreement:.8f}",
        number(accuracy.boundary_agreement, ".6f"),
        str(accuracy.differing_pixels),
        number(accuracy.largest_margin, ".0e"),
        number(accuracy.max_logits_error, ".0e"),
        f"{number(accuracy.miou_pytorch, '.4f')} → {number(accuracy.miou_bundle, '.4f')}",
    ]
