"""Images of a pool that are in the val split as well: a score on what was trained on means nothing (no torch)."""

from train.data.dataset import Dataset
from train.data.likeness import Mark, found_in, mark
from train.data.spec import PoolSpec
from train.data.unlabelled import UnlabelledFrames
from train.errors import UserError
from train.progress import progress

_NAMED = 3


def without_val_copies(pool: UnlabelledFrames, val_set: Dataset, spec: PoolSpec) -> UnlabelledFrames:
    """The pool, but for what is in ``val_set``, the same pixels or nearly so, where ``spec`` lets it be dropped.

    Raises:
        UserError: there is such an image, and it is to be refused; or nothing else is in the pool.
    """
    names, marks = _marks(val_set)
    copies = found_in(pool.marks, marks, spec.alike)
    if not copies:
        return pool
    pairs = [f"{pool.name_of(pool.place(index))} is {names[other]}" for index, other in copies.items()]
    if spec.val_copies == "refuse":
        more = f" and {len(pairs) - _NAMED} more" if len(pairs) > _NAMED else ""
        raise UserError(
            f"data.unlabelled: {len(pairs)} of its images are in {val_set.name}, or all but the same, and scores would "
            f"be too good: {', '.join(pairs[:_NAMED])}{more}: remove them, or have them left out with "
            "--data.pool.val_copies drop"
        )
    return pool.without(copies, f"{len(copies)} images left out that are in {val_set.name}")


def _marks(val_set: Dataset) -> tuple[list[str], list[Mark]]:
    """Of the images that can be read; what else is wrong with the split is said elsewhere."""
    names, marks = [], []
    for index in progress(iter(range(len(val_set))), f"look for {val_set.name} in data.unlabelled", len(val_set)):
        try:
            sample = val_set[index]
        except UserError:
            continue
        names.append(sample.name)
        marks.append(mark(sample.image))
    return names, marks
