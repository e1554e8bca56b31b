"""Device and arithmetic of a run: mixed precision where the device has it."""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Literal

import torch

from train.errors import UserError


def choose_device(name: Literal["auto", "cpu", "cuda"]) -> torch.device:
    """The device to train on. `UserError` if a GPU was asked for and there is none."""
    available = torch.cuda.is_available()
    if name == "cuda" and not available:
        raise UserError("loop.device: cuda was asked for, but torch sees no GPU: use --loop.device cpu or auto")
    return torch.device("cuda" if available and name != "cpu" else "cpu")


@dataclass(frozen=True)
class Precision:
    """The type of the forward pass; None: full precision."""

    device: torch.device
    dtype: torch.dtype | None

    @classmethod
    def of(cls, device: torch.device, amp: bool) -> "Precision":
        """bf16 on a GPU that has it, else fp16; full precision on a CPU."""
        if device.type != "cuda" or not amp:
            return cls(device, None)
        return cls(device, torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16)

    @property
    def scales(self) -> bool:
        """Whether losses are scaled: fp16 gradients underflow, and may overflow for a step."""
        return self.dtype == torch.float16

    def autocast(self) -> AbstractContextManager[object]:
        """The context of the forward pass."""
        return nullcontext() if self.dtype is None else torch.autocast(self.device.type, self.dtype)

    def scaler(self) -> torch.amp.GradScaler:
        """A gradient scaler, inert unless `scales`."""
        return torch.amp.GradScaler(self.device.type, enabled=self.scales)
