"""How a kernel becomes an operator of PyTorch: opaque to `torch.compile`, launched where its tensors are."""

import functools
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

import torch

P = ParamSpec("P")
R = TypeVar("R")


def operator(name: str) -> Callable[[Callable[P, R]], Any]:
    """`torch.library.custom_op` ``segdistill::name`` of a function that changes none of its arguments."""

    def register(launch: Callable[P, R]) -> Any:
        @functools.wraps(launch)
        def on_its_device(*args: P.args, **named: P.kwargs) -> R:
            first = args[0]
            # Triton launches on the current device, which need not be the tensors' own.
            if not isinstance(first, torch.Tensor) or not first.is_cuda:
                return launch(*args, **named)
            with torch.cuda.device(first.device):
                return launch(*args, **named)

        return torch.library.custom_op(f"segdistill::{name}", on_its_device, mutates_args=())

    return register
