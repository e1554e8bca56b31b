"""`kernels.channel_kl` by tiles of channels."""

from typing import Any

import torch
from torch import Tensor

from kernels.precision import accumulable

# Elements of a tile, where a channel is smaller: half a megabyte in fp32.
_TILE = 1 << 17


class TiledChannelKl(torch.autograd.Function):
    """Σ_nc KL(softmax_i(b_c s^T_i z^T_ci / τ) ‖ softmax_i(s^S_i z^S_ci / τ)), as `kernels.tiled.pixel_kl` does it."""

    @staticmethod
    def forward(
        ctx: Any,
        student: Tensor,
        teacher: Tensor,
        excluded: Tensor | None,
        student_scale: Tensor | None,
        teacher_scale: Tensor | None,
        channel_scale: Tensor | None,
        temperature: float,
    ) -> Tensor:
        """Maps ``(N, C, P)``; excluded pixels and scales ``(N, P)``; scales of the teacher's channels ``(N, C)``."""
        gradient = torch.empty_like(student) if ctx.needs_input_grad[0] else None
        total = accumulable(student.new_zeros(()))
        channels = max(1, _TILE // student.shape[2])
        for image in range(student.shape[0]):
            factor = None if student_scale is None else student_scale[image] / temperature
            scale = None if teacher_scale is None else teacher_scale[image] / temperature
            without = None if excluded is None else excluded[image]
            for start in range(0, student.shape[1], channels):
                tile = slice(start, start + channels)
                log_q = _log_softmax(student[image, tile], factor, temperature, without)
                target = accumulable(teacher[image, tile])
                if channel_scale is not None:
                    target = target * channel_scale[image, tile, None]
                log_p = _log_softmax(target, scale, temperature, without)
                p = log_p.exp()
                total += torch.dot(log_p.sub_(log_q).flatten(), p.flatten())
                if gradient is not None:
                    slope = log_q.exp_().sub_(p)
                    gradient[image, tile] = slope.div_(temperature) if factor is None else slope.mul_(factor)
                    if without is not None:
                        gradient[image, tile].masked_fill_(without, 0)
        ctx.gradient = gradient
        return total

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        """Of the student's maps."""
        return (ctx.gradient * gradient).to(ctx.gradient.dtype), None, None, None, None, None, None


def _log_softmax(values: Tensor, factor: Tensor | None, temperature: float, excluded: Tensor | None) -> Tensor:
    """Over the pixels of a tile ``(channels, P)``; excluded ones get probability 0."""
    values = accumulable(values)
    values = values / temperature if factor is None else values * factor
    if excluded is not None:
        values.masked_fill_(excluded, -1e30)
    return values.log_softmax(1)
