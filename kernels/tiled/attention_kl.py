"""`kernels.attention_kl` by tiles of rows."""

from typing import Any

import torch
from torch import Tensor

# Elements of a tile of rows: two fp32 tiles stay in a cache of 8 MB.
_TILE = 1 << 19


class TiledAttentionKl(torch.autograd.Function):
    """Σ_i KL(softmax_j(q^T_i·k^T_j / τ) ‖ softmax_j(q^S_i·k^S_j / τ)) / #valid.

    The gradient of a tile is taken while its probabilities are there, so nothing is computed twice: forward leaves the
    gradients of queries and keys behind, and backward multiplies them by the incoming one.
    """

    @staticmethod
    def forward(
        ctx: Any,
        student: Tensor,
        student_keys: Tensor,
        teacher: Tensor,
        teacher_keys: Tensor,
        valid: Tensor,
        valid_keys: Tensor,
        temperature: float,
    ) -> Tensor:
        """Queries ``(N, D, P)``, keys ``(N, D, K)``, valid ``(N, P)`` and ``(N, K)``."""
        wanted = any(ctx.needs_input_grad[:2])
        gradients = (torch.zeros_like(student), torch.zeros_like(student_keys)) if wanted else None
        weights = valid.to(student) / valid.sum().clamp(min=1)
        total = student.new_zeros(())
        rows = max(16, _TILE // student_keys.shape[2])
        for image in range(student.shape[0]):
            keys, excluded = (student_keys[image], teacher_keys[image]), ~valid_keys[image]
            for start in range(0, student.shape[2], rows):
                tile = slice(start, start + rows)
                queries = (student[image, :, tile], teacher[image, :, tile])
                log_q, log_p = (_log_softmax(q, k, excluded, temperature) for q, k in zip(queries, keys, strict=True))
                p, weight = log_p.exp(), weights[image, tile]
                total += log_p.sub_(log_q).mul_(p).sum(1) @ weight
                if gradients is not None:
                    slope = log_q.exp_().sub_(p).mul_(weight[:, None] / temperature)
                    gradients[0][image, :, tile] = keys[0] @ slope.mT
                    gradients[1][image] += queries[0] @ slope
        ctx.gradients = gradients
        return total

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        """Of queries and keys of the student."""
        queries, keys = (gradient * each for each in ctx.gradients)
        return queries, keys, None, None, None, None, None


def _log_softmax(queries: Tensor, keys: Tensor, excluded: Tensor, temperature: float) -> Tensor:
    """Rows ``(rows, K)``; excluded keys get probability 0."""
    scores = (queries.mT @ keys).div_(temperature)
    return scores.masked_fill_(excluded, -1e30).log_softmax(1)
