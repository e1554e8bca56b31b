"""What a network shows of itself: the points where a distillation loss can listen."""

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from train.errors import UserError

_STRIDE = "stride:"
MODULE = "module:"

Tap = Annotated[str, Field(pattern=r"^(logits|fused|pre_classifier|stride:[1-9]\d*|module:\w+(\.\w+)*)$")]
"""The name of a point in a network.

- ``stride:S``: the deepest encoder stage of a stride of at most S pixels. A dilated network has no stage of stride 32:
  its last one, whatever its stride, takes that place. Where several branches run at one stride, as in PIDNet and
  DDRNet at stride 8, it is the end of the branch of details.
- ``fused``: the map after the fusion of scales, the end of the decoder.
- ``pre_classifier``: what the classifier reads. In networks of smp the same as ``fused``.
- ``logits``: the classifier's output at the decoder's own stride.
- ``module:PATH``: the output of any module, by its name in ``named_modules()``.
"""


class Taps:
    """The tapped maps of one forward pass over images ``(N, 3, H, W)``.

    Args:
        maps: by tap; an encoder stage under ``stride:`` and its own stride, strides ascending.
            ``logits`` ``(N, C, h, w)``, every other one ``(N, D, h', w')``. ``aux``: logits of an auxiliary head.
    """

    def __init__(self, maps: Mapping[str, Tensor]) -> None:
        self.maps = dict(maps)

    def __getitem__(self, tap: Tap) -> Tensor:
        """The map at a tap. `UserError` where the network has none, or was not asked for it."""
        found = self.maps.get(tap)
        if found is None and tap.startswith(_STRIDE):
            wanted = int(tap.removeprefix(_STRIDE))
            found = next((stage for stride, stage in reversed(self._stages()) if stride <= wanted), None)
        if found is None:
            raise UserError(f"tap '{tap}': the network does not show it: it shows {', '.join(self.maps)}")
        return found

    @property
    def stages(self) -> list[Tensor]:
        """Encoder features ``(N, D_k, H/s_k, W/s_k)``, strides ascending; the deepest of each stride."""
        return [stage for _, stage in self._stages()]

    @property
    def fused(self) -> Tensor:
        """Decoder output, ``(N, D, h, w)``."""
        return self["fused"]

    @property
    def logits(self) -> Tensor:
        """Classifier output at the decoder's own resolution, ``(N, C, h, w)``, usually at stride 4."""
        return self["logits"]

    @property
    def aux(self) -> Tensor | None:
        """Logits of an auxiliary head, ``(N, C, h', w')``, where the network has one."""
        return self.maps.get("aux")

    def map(self, change: Callable[[Tensor], Tensor]) -> "Taps":
        """The same taps with every map changed."""
        return Taps({tap: change(found) for tap, found in self.maps.items()})

    @classmethod
    def joined(cls, parts: "Sequence[Taps]") -> "Taps":
        """The taps of the parts of a batch, one after the other."""
        return cls({tap: torch.cat([part.maps[tap] for part in parts]) for tap in parts[0].maps})

    def split(self, first: int) -> "tuple[Taps, Taps]":
        """The taps of the first images of the batch, and those of the others."""
        return self.map(lambda found: found[:first]), self.map(lambda found: found[first:])

    def _stages(self) -> list[tuple[int, Tensor]]:
        return [(int(tap.removeprefix(_STRIDE)), m) for tap, m in self.maps.items() if tap.startswith(_STRIDE)]


def needs_decoder(taps: frozenset[Tap]) -> bool:
    """Whether any of these taps lies behind the encoder."""
    return not all(tap.startswith(_STRIDE) for tap in taps)
