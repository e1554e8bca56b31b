"""A sum whose parts are computed one after the other."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor


class SumOfParts(torch.autograd.Function):
    """Σ_k f(student, k). What f keeps for its gradient is gone before the next part's turn.

    The gradient is taken along with the value, and is of the size of the student's own map.
    """

    @staticmethod
    def forward(ctx: Any, student: Tensor, parts: int, part: Callable[[Tensor, int], Tensor]) -> Tensor:
        """``part`` gets the student's map and k, and gives a scalar."""
        student = student.detach().requires_grad_(ctx.needs_input_grad[0])
        ctx.gradient = torch.zeros_like(student) if student.requires_grad else None
        values = []
        for index in range(parts):
            with torch.set_grad_enabled(student.requires_grad):
                value = part(student, index)
            values.append(value.detach())
            if student.requires_grad:
                ctx.gradient += torch.autograd.grad(value, student)[0]
        return torch.stack(values).sum()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        """Of the student's map."""
        return ctx.gradient * gradient, None, None
