"""Device and arithmetic of a run: mixed precision where the device has it."""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Literal

import torch

from train import processes
from train.errors import UserError


def choose_device(name: Literal["auto", "cpu", "cuda"]) -> torch.device:
    """The device to train on. `UserError` if a GPU was asked for and there is none."""
    available = torch.cuda.is_available()
    if name == "cuda" and not available:
        raise UserError("loop.device: cuda was asked for, but torch sees no GPU: use --loop.device cpu or auto")
    if not available or name == "cpu":
        return torch.device("cpu")
    if processes.count() == 1:
        return torch.device("cuda")
    if processes.local_rank() >= torch.cuda.device_count():
        raise UserError(
            f"--nproc-per-node: this machine has {torch.cuda.device_count()} GPUs, and a process needs one of its own: "
            "start fewer, or train with --loop.device cpu"
        )
    return torch.device("cuda", processes.local_rank())


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

    def of_teacher(self, name: Literal["run", "fp32", "bf16", "fp16"]) -> "Precision":
        """This one, or another one on the same device."""
        types = {"run": self.dtype, "fp32": None, "bf16": torch.bfloat16, "fp16": torch.float16}
        return Precision(self.device, types[name])

    @property
    def scales(self) -> bool:
        """Whether losses are scaled: fp16 gradients underflow, and may overflow for a step."""
        return self.dtype == torch.float16

    def autocast(self) -> AbstractContextManager[object]:
        """The context of the forward pass, whatever context it stands in."""
        return torch.autocast(self.device.type, self.dtype, enabled=self.dtype is not None)

    def scaler(self) -> torch.amp.GradScaler:
        """A gradient scaler, inert unless `scales`."""
        return torch.amp.GradScaler(self.device.type, enabled=self.scales)
