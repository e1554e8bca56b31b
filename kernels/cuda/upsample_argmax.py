"""Low-resolution logits on the GPU to class ids of full size: the launches of `upsample_argmax.cu` (no torch)."""

import ctypes
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from kernels.cuda.module import Argument, Module

Dtype = Literal["fp32", "fp16"]
SOURCE = "upsample_argmax"
"""Name of the fatbin."""

_SUFFIXES: dict[Dtype, str] = {"fp32": "f32", "fp16": "f16"}
_BYTES: dict[Dtype, int] = {"fp32": 4, "fp16": 2}


class UpsampleArgmax:
    """The kernels for logits of one type; its context has to be current in every call, as in `Module`.

    Raises:
        KernelError: the fatbin is not for this GPU, this driver or this version.
    """

    def __init__(self, fatbin: Path, dtype: Dtype) -> None:
        self.bytes_per_logit = _BYTES[dtype]
        self._ids = f"upsample_argmax_{_SUFFIXES[dtype]}"
        self._ids_and_confidence = f"upsample_argmax_confidence_u8_{_SUFFIXES[dtype]}"
        self._module = Module(fatbin, [self._ids, self._ids_and_confidence])

    def launch(
        self,
        stream: int,
        logits: int,
        shape: Sequence[int],
        ids: int,
        size: tuple[int, int],
        confidence: int | None = None,
    ) -> None:
        """Logits ``(N, C, h, w)`` at an address, to class ids ``(N, *size)`` uint8 at another.

        With ``confidence``, an address, also uint8 ``(N, *size)``: 255 times the softmax probability of that class.

        Raises:
            KernelError: the driver does not take it.
        """
        count, *low = shape
        arguments: list[Argument] = [ctypes.c_uint64(logits)]
        arguments += [ctypes.c_int(side) for side in low]
        arguments += [ctypes.c_uint64(address) for address in (ids, confidence) if address is not None]
        arguments += [ctypes.c_int(side) for side in size]
        name = self._ids if confidence is None else self._ids_and_confidence
        self._module.launch(name, arguments, stream, size[1], size[0], count)

    def unload(self) -> None:
        """No launch may be under way or follow."""
        self._module.unload()
