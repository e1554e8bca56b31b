"""A sum over the images of a batch, one image at a time."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor


class SumByImage(torch.autograd.Function):
    """Σ_n f(student_n, n). What f makes on its way is gone before the next image's turn.

    The gradient of an image is taken along with its value, and is of the size of the student's own map.
    """

    @staticmethod
    def forward(ctx: Any, student: Tensor, of_image: Callable[[Tensor, int], Tensor]) -> Tensor:
        """``of_image`` gets ``(1, C, H, W)`` and the index, and gives a scalar."""
        gradient = torch.empty_like(student) if ctx.needs_input_grad[0] else None
        values = []
        for index in range(student.shape[0]):
            image = student[index : index + 1].detach().requires_grad_(gradient is not None)
            # Autocast would round matrix products, those of the gradient too.
            autocast = torch.autocast(student.device.type, enabled=False)
            with torch.set_grad_enabled(gradient is not None), autocast:
                value = of_image(image, index)
                if gradient is not None:
                    gradient[index : index + 1] = torch.autograd.grad(value, image)[0]
            values.append(value.detach())
        ctx.gradient = gradient
        return torch.stack(values).sum()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        """Of the student's map."""
        return (ctx.gradient * gradient).to(ctx.gradient.dtype), None
