"""Outputs of a network's inner modules, by path."""

import contextlib
import difflib
from collections.abc import Collection, Iterator
from typing import Any

from torch import Tensor, nn

from train.errors import UserError
from train.models.taps import MODULE, Tap


@contextlib.contextmanager
def module_outputs(network: nn.Module, taps: Collection[Tap]) -> Iterator[dict[Tap, Tensor]]:
    """Fills the dictionary with the maps ``(N, D, h, w)`` of all ``module:PATH`` among ``taps`` while forward runs.

    Raises:
        UserError: no such module, or its output is no map.
    """
    outputs: dict[Tap, Tensor] = {}
    modules = {tap: _module(network, tap.removeprefix(MODULE)) for tap in taps if tap.startswith(MODULE)}
    # Hooks stand only during a forward pass: those of a network would be copied with it, into its moving average.
    handles = [module.register_forward_hook(_keep(tap, outputs)) for tap, module in modules.items()]
    try:
        yield outputs
    finally:
        for handle in handles:
            handle.remove()


def _keep(tap: Tap, outputs: dict[Tap, Tensor]) -> Any:
    def hook(_module: nn.Module, _inputs: Any, output: Any) -> None:
        if not isinstance(output, Tensor) or output.dim() != 4:
            shape = tuple(output.shape) if isinstance(output, Tensor) else type(output).__name__
            raise UserError(f"tap '{tap}': gives {shape}, not a map (N, D, h, w): choose another module")
        outputs[tap] = output

    return hook


def _module(network: nn.Module, path: str) -> nn.Module:
    modules = dict(network.named_modules())
    if path not in modules:
        inner = [name for name in modules if name]
        near = difflib.get_close_matches(path, inner, n=1) or [name for name in inner if name.startswith("decoder")]
        hint = f": did you mean '{MODULE}{near[0]}'?" if near else f": it has {', '.join(inner[:8]) or 'none'}"
        raise UserError(f"tap '{MODULE}{path}': the network has no such module{hint}")
    module: nn.Module = modules[path]
    return module
