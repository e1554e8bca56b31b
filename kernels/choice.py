"""Which implementation of an operation runs."""

import importlib.util
import os

import torch
from torch import Tensor

VARIABLE = "SEGDISTILL_KERNELS"

_TRITON_IS_INSTALLED = importlib.util.find_spec("triton") is not None
_TRITON_DTYPES = (torch.float16, torch.bfloat16, torch.float32)


def use_triton(student: Tensor) -> bool:
    """Triton for CUDA tensors up to fp32 where it is installed; the tiled form or the reference otherwise.

    The environment variable SEGDISTILL_KERNELS, ``reference`` or ``triton``, overrides. Triton on CPU tensors needs
    TRITON_INTERPRET=1, and is for tests.
    """
    choice = os.environ.get(VARIABLE, "")
    if choice == "reference":
        return False
    if choice == "triton":
        _require_triton(student)
        return True
    if choice:
        raise ValueError(f"{VARIABLE}={choice}: must be reference or triton, or not set")
    return student.is_cuda and student.dtype in _TRITON_DTYPES and _TRITON_IS_INSTALLED


def use_reference() -> bool:
    """The definition, where it was asked for."""
    return os.environ.get(VARIABLE) == "reference"


def use_tiles(student: Tensor) -> bool:
    """The tiled form for CPU tensors, but for a graph that a compiler fuses anyway."""
    return not student.is_cuda and not use_reference() and not torch.compiler.is_compiling()


def _require_triton(student: Tensor) -> None:
    if not _TRITON_IS_INSTALLED:
        raise ValueError(f"{VARIABLE}=triton, and Triton is not installed here: unset it")
    if student.dtype not in _TRITON_DTYPES:
        raise ValueError(f"{VARIABLE}=triton, and the input is {student.dtype}: use float32 or less, or unset it")
    if not student.is_cuda and os.environ.get("TRITON_INTERPRET") != "1":
        raise ValueError(
            f"{VARIABLE}=triton, and the input is on {student.device}: unset it, or set TRITON_INTERPRET=1"
        )
