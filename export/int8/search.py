"""The search for the layers that have to stay in float."""

import math
from collections.abc import Callable, Sequence

from export.int8.layers import Layer
from export.int8.score import Loss
from train.errors import UserError
from train.progress import progress

LossOf = Callable[[Sequence[Layer]], Loss]
"""From the layers left in float to what the graph then loses."""


def search(ranked: Sequence[Layer], all_int8: Loss, loss_of: LossOf, max_drop: float) -> list[Layer]:
    """The fewest layers in float with which no more than ``max_drop`` points are lost.

    First the shortest beginning of ``ranked`` that is enough, by bisection; then each of these is put back into INT8
    where the rest is enough without it. So none of what is left can be spared. Another set may still be smaller: to be
    sure, all subsets would have to be measured.

    Args:
        ranked: all layers, the most sensitive first.
        all_int8: what is lost with none in float.
        max_drop: points of 100, see `Loss.points`.

    Raises:
        UserError: no layer can be quantised at that price.
    """
    if all_int8.points <= max_drop:
        return []
    least = loss_of(ranked[:-1])
    if least.points > max_drop:
        raise UserError(
            f"--max-drop {max_drop:g} cannot be met: all {len(ranked)} layers in INT8 lose {all_int8}, "
            f"{ranked[-1].title} alone still {least}; nothing was written: "
            "try another --method, more --images-count, --finetune, or allow more"
        )
    beginning = _shortest_beginning(ranked, loss_of, max_drop)
    return _spare(beginning, loss_of, max_drop)


def _shortest_beginning(ranked: Sequence[Layer], loss_of: LossOf, max_drop: float) -> list[Layer]:
    too_few, enough = 0, len(ranked) - 1
    tries = math.ceil(math.log2(max(1, enough)))
    for _ in progress(range(tries), "search", tries):
        if enough - too_few > 1:
            middle = (too_few + enough) // 2
            if loss_of(ranked[:middle]).points <= max_drop:
                enough = middle
            else:
                too_few = middle
    return list(ranked[:enough])


def _spare(kept: list[Layer], loss_of: LossOf, max_drop: float) -> list[Layer]:
    """Without each layer that is not needed, the least sensitive tried first; the last one is needed, as is known."""
    candidates = kept[::-1] if len(kept) > 1 else []
    for layer in progress(candidates, "search: back into INT8", len(candidates)):
        rest = [other for other in kept if other != layer]
        if rest and loss_of(rest).points <= max_drop:
            kept = rest
    return kept
