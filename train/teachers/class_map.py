"""A teacher of other classes: whose ids mean what in the data.

Probabilities of classes that are merged add up, so their logits become the logarithm of the sum of their exponentials.
Classes of the teacher that the data does not have are left out: what remains is its judgement among the others. A class
that no class of the teacher stands for gets, in each pixel, a logit well below the least of the others: finite for
every loss, less than a thousandth of the least probability, and never what the teacher decides for. Pixels that are
labelled with such a class do not count in losses that need a teacher (`without_unknown`); labels alone teach it.
"""

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from train.data.batches import Batch
from train.errors import UserError
from train.models.network import SegmentationNetwork
from train.models.taps import Tap, Taps
from train.teachers.wrapper import Wrapper

_UNKNOWN_BELOW = 7.0  # e^-7 < 0.001

_LOGITS: frozenset[Tap] = frozenset({"logits"})


@dataclass(frozen=True)
class ClassMap:
    """For each class of the data the ids of the teacher that mean it."""

    sources: tuple[tuple[int, ...], ...]

    @property
    def unknown(self) -> frozenset[int]:
        """Ids of the data that the teacher knows nothing of."""
        return frozenset(index for index, ids in enumerate(self.sources) if not ids)

    def merge(self, logits: Tensor) -> Tensor:
        """Logits ``(N, T, h, w)`` of the teacher's classes to those ``(N, C, h, w)`` of the data's."""
        return with_unknown([logits[:, list(ids)].logsumexp(dim=1) if ids else None for ids in self.sources])


class ClassMapped(Wrapper):
    """A teacher whose logits are of the data's classes. Other taps are its own; an auxiliary head is not shown."""

    def __init__(self, network: SegmentationNetwork, class_map: ClassMap) -> None:
        super().__init__(network, len(class_map.sources))
        self._class_map = class_map

    def forward(self, image: Tensor, taps: frozenset[Tap] = _LOGITS) -> Taps:
        """See `SegmentationNetwork`."""
        maps = {tap: found for tap, found in self.network(image, taps).maps.items() if tap != "aux"}
        if "logits" in maps:
            maps["logits"] = self._class_map.merge(maps["logits"])
        return Taps(maps)


def with_unknown(known: Sequence[Tensor | None]) -> Tensor:
    """Logits ``(N, h, w)`` of each class, None for unknown ones, as ``(N, C, h, w)``."""
    least = torch.stack([one for one in known if one is not None]).amin(dim=0)
    return torch.stack([least - _UNKNOWN_BELOW if one is None else one for one in known], dim=1)


def resolve_class_map(
    given: Mapping[str, str | None], theirs: Sequence[str], ours: Sequence[str], teacher: str
) -> ClassMap:
    """The map that a config gives; classes it does not name keep their name, where the data has it.

    Raises:
        UserError: a class that there is not, or nothing is left.
    """
    check_names(given, theirs, ours, teacher)
    targets = [given.get(name, name) for name in theirs]
    sources = tuple(tuple(index for index, target in enumerate(targets) if target == name) for name in ours)
    if not any(sources):
        raise UserError(
            f"teacher.class_map: no class of {teacher} becomes one of the data's: `python -m train.teachers CONFIG` "
            "proposes a map"
        )
    return ClassMap(sources)


def check_names(given: Mapping[str, str | None], theirs: Sequence[str], ours: Sequence[str], teacher: str) -> None:
    """`UserError` where a map that a config gives names a class that there is not."""
    for key, value in given.items():
        _check_known(key, theirs, f"{teacher}, whose classes are")
        if value is not None:
            _check_known(value, ours, "the data, whose classes are")


def left_out(class_map: ClassMap, theirs: Sequence[str], ours: Sequence[str]) -> tuple[str, ...]:
    """What a user must know of a map, a line each."""
    used = {index for ids in class_map.sources for index in ids}
    lines = []
    unused = [name for index, name in enumerate(theirs) if index not in used]
    if unused:
        lines.append(f"teacher: left out, for the data has no such class: {', '.join(unused)}")
    if class_map.unknown:
        names = ", ".join(ours[index] for index in sorted(class_map.unknown))
        lines.append(f"teacher: knows nothing of {names}: labels alone teach that, and a loss without labels nothing")
    if len(ours) - len(class_map.unknown) == 1:
        lines.append("teacher: with one class alone its logits decide nothing: map what stands for the others as well")
    return tuple(lines)


def without_unknown(batch: Batch, unknown: frozenset[int]) -> Batch:
    """The batch, in which pixels of classes that the teacher does not know count in no loss that needs a teacher."""
    if not unknown or batch.label is None or batch.valid is None:
        return batch
    blind = torch.isin(batch.label, torch.tensor(sorted(unknown), device=batch.label.device, dtype=batch.label.dtype))
    return batch._replace(valid=batch.valid & ~blind)


def _check_known(name: str, names: Sequence[str], owner: str) -> None:
    if name not in names:
        near = difflib.get_close_matches(name, names, n=1)
        hint = f"did you mean '{near[0]}'?" if near else f"{owner} {', '.join(names)}"
        raise UserError(f"teacher.class_map: '{name}' is no class of {owner.split(',')[0]}: {hint}")
