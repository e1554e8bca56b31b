"""Tensor mathematics of distillation: each operation as a plain reference, a GPU kernel and one function that picks.

``from kernels import pixel_kl`` gives the function. Operations load on first use, because `kernels.cuda` is
imported on edge hosts, where there is no torch.
"""

import importlib
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kernels.channel_kl import channel_kl as channel_kl
    from kernels.condensation import condensation as condensation
    from kernels.cross_entropy import cross_entropy as cross_entropy
    from kernels.pixel_kl import pixel_kl as pixel_kl

OPERATIONS = ("channel_kl", "condensation", "cross_entropy", "pixel_kl")

__all__ = ["channel_kl", "condensation", "cross_entropy", "pixel_kl"]


class _Operations(ModuleType):
    """Python binds a loaded submodule to its package; here the operation of the same name takes its place."""

    def __setattr__(self, name: str, value: Any) -> None:
        if name in OPERATIONS and isinstance(value, ModuleType):
            value = getattr(value, name)
        super().__setattr__(name, value)

    def __getattr__(self, name: str) -> Any:
        if name not in OPERATIONS:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        importlib.import_module(f"{__name__}.{name}")
        return self.__dict__[name]


sys.modules[__name__].__class__ = _Operations
