"""Tensor mathematics of distillation: each operation as a plain reference, a GPU kernel and one function that picks.

``from kernels import pixel_kl`` gives the function. Operations load on first use, because `kernels.cuda` is
imported on edge hosts, where there is no torch.
"""

import importlib
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kernels.attention_kl import attention_kl as attention_kl
    from kernels.channel_attention import channel_attention as channel_attention
    from kernels.channel_kl import channel_kl as channel_kl
    from kernels.cka import cka as cka
    from kernels.class_means import class_means as class_means
    from kernels.condensation import condensation as condensation
    from kernels.cross_entropy import cross_entropy as cross_entropy
    from kernels.pairwise_mse import pairwise_mse as pairwise_mse
    from kernels.pixel_kl import pixel_kl as pixel_kl
    from kernels.position_attention import position_attention as position_attention

__all__ = [
    "attention_kl",
    "channel_attention",
    "channel_kl",
    "cka",
    "class_means",
    "condensation",
    "cross_entropy",
    "pairwise_mse",
    "pixel_kl",
    "position_attention",
]


class _Operations(ModuleType):
    """Python binds a loaded submodule to its package; here the operation of the same name takes its place."""

    def __setattr__(self, name: str, value: Any) -> None:
        if name in __all__ and isinstance(value, ModuleType):
            value = getattr(value, name)
        super().__setattr__(name, value)

    def __getattr__(self, name: str) -> Any:
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        importlib.import_module(f"{__name__}.{name}")
        return self.__dict__[name]


sys.modules[__name__].__class__ = _Operations
