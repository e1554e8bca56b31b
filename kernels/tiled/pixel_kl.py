"""`kernels.pixel_kl` by tiles of pixels."""

from typing import Any

import torch
from torch import Tensor

from kernels.precision import accumulable

# Elements of a tile: half a megabyte in fp32, a few of which stay in a core's cache.
_TILE = 1 << 17


class TiledPixelKl(torch.autograd.Function):
    """Σ_i w_i KL(softmax_c(s^T_i z^T_i / τ) ‖ softmax_c(s^S_i z^S_i / τ)).

    The gradient of a tile is taken while its probabilities are there: forward leaves the gradient behind, the only map
    of full size that is made, and backward multiplies it by the incoming one.
    """

    @staticmethod
    def forward(
        ctx: Any,
        student: Tensor,
        teacher: Tensor,
        weight: Tensor,
        student_scale: Tensor | None,
        teacher_scale: Tensor | None,
        temperature: float,
    ) -> Tensor:
        """Logits ``(N, C, P)``; weight, 0 at ignored pixels, and scales ``(N, P)``."""
        gradient = torch.empty_like(student) if ctx.needs_input_grad[0] else None
        total = weight.new_zeros(())
        pixels = max(16, _TILE // student.shape[1])
        for image in range(student.shape[0]):
            for start in range(0, student.shape[2], pixels):
                tile = slice(start, start + pixels)
                factor = None if student_scale is None else student_scale[image, tile] / temperature
                log_q = _log_softmax(student[image, :, tile], factor, temperature)
                scale = None if teacher_scale is None else teacher_scale[image, tile] / temperature
                log_p = _log_softmax(teacher[image, :, tile], scale, temperature)
                p = log_p.exp()
                # Not a matrix product, which autocast would round.
                total += torch.dot(log_p.sub_(log_q).mul_(p).sum(0), weight[image, tile])
                if gradient is not None:
                    slope = weight[image, tile] / temperature if factor is None else weight[image, tile] * factor
                    gradient[image, :, tile] = log_q.exp_().sub_(p).mul_(slope)
        ctx.gradient = gradient
        return total

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        """Of the student's logits."""
        return (ctx.gradient * gradient).to(ctx.gradient.dtype), None, None, None, None, None


def _log_softmax(logits: Tensor, factor: Tensor | None, temperature: float) -> Tensor:
    """Over the classes of a tile ``(C, pixels)``."""
    logits = accumulable(logits)
    if factor is not None:
        logits = logits * factor
    elif temperature != 1:
        logits = logits / temperature
    return logits.log_softmax(0)
