"""Networks of transformers, with taps."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from train.errors import UserError
from train.models.network import SegmentationNetwork
from train.teachers.normalisation import Normalisation

_STRIDES = (2, 4, 8, 14, 16, 32, 64)
_TRIED = 256
"""Pixels of a side of the image that a network must be able to see."""


class HuggingFaceNetwork(SegmentationNetwork):
    """A model for semantic segmentation; the logits are those of its last convolution, before any upsampling.

    Stages are the encoder's hidden states: the deepest of each stride, tokens put back into a map. ``fused`` and
    ``pre_classifier`` are what the last convolution reads. The model always runs as a whole.

    Args:
        model: gives ``logits`` and ``hidden_states``.
        normalisation: of its images.
        flipped: it takes blue, green, red.
        title: what messages call it.
    """

    def __init__(self, model: Any, normalisation: Normalisation, flipped: bool, title: str) -> None:
        patch = getattr(model.config, "patch_size", None)
        self._strides = sorted({*_STRIDES, patch}) if isinstance(patch, int) else list(_STRIDES)
        super().__init__(model.config.num_labels, math.lcm(32, patch if isinstance(patch, int) else 1), *normalisation)
        self.model: nn.Module = model
        self._flipped = flipped
        self._classifier = _classifier(model, self.classes)
        self._try(title)

    def maps(self, image: Tensor, decoded: bool) -> dict[str, Tensor]:  # noqa: ARG002  # all or nothing
        """See `SegmentationNetwork`."""
        maps: dict[str, Tensor] = {}
        with self._classified() as seen:
            pixels = image.flip(1) if self._flipped else image
            outputs = self.model(pixel_values=pixels, output_hidden_states=True, return_dict=True)
        for hidden in outputs.hidden_states or ():
            found = self._as_map(hidden, image.shape[-2:])
            if found is not None:
                maps[f"stride:{image.shape[-1] // found.shape[-1]}"] = found
        maps = dict(sorted(maps.items(), key=lambda item: int(item[0].removeprefix("stride:"))))
        return {**maps, **({**seen} or {"logits": outputs.logits})}

    @contextmanager
    def _classified(self) -> Iterator[dict[str, Tensor]]:
        """What goes into the last convolution and what comes out of it, while the model runs."""
        seen: dict[str, Tensor] = {}

        def hook(_module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            seen.update(fused=inputs[0], pre_classifier=inputs[0], logits=output)

        if self._classifier is None:
            yield seen
            return
        handle = self._classifier.register_forward_hook(hook)
        try:
            yield seen
        finally:
            handle.remove()

    def _as_map(self, hidden: Tensor, size: torch.Size) -> Tensor | None:
        """``(N, D, h, w)`` as it is; tokens ``(N, h w, D)``, with a class token before them or not, as a map."""
        if hidden.dim() == 4:
            return hidden if size[0] * hidden.shape[3] == size[1] * hidden.shape[2] else None
        for stride in self._strides:
            height, width = size[0] // stride, size[1] // stride
            extra = hidden.shape[1] - height * width
            if extra in (0, 1):
                tokens = hidden[:, extra:].transpose(1, 2)
                return tokens.reshape(*tokens.shape[:2], height, width)
        return None

    def _try(self, title: str) -> None:
        side = -(-_TRIED // self.multiple) * self.multiple
        try:
            with torch.inference_mode():
                self.eval()(torch.zeros(1, 3, side, side))
        except Exception as error:  # each model has its own
            reason = " ".join(str(error).split())[:200]
            raise UserError(
                f"teacher: {title}: cannot see images of {side}x{side} ({reason}): choose a model that takes any size"
            ) from None


def _classifier(model: nn.Module, classes: int) -> nn.Conv2d | None:
    """The last convolution to so many channels that is not of an auxiliary head."""
    found = [
        module
        for name, module in model.named_modules()
        if isinstance(module, nn.Conv2d) and module.out_channels == classes and "auxiliary" not in name
    ]
    return found[-1] if found else None
