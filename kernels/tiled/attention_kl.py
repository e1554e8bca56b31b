"""`kernels.attention_kl` by tiles of rows, as one operator: a compiler would unroll its loops."""

from typing import Any

import torch
from torch import Tensor

# Elements of a tile of rows: a few fp32 tiles stay in a cache of 8 MB. Of fewer rows than _ROWS, products are slow.
_TILE = 1 << 19
_ROWS = 64


@torch.library.custom_op("segdistill::tiled_attention_kl", mutates_args=())
def tiled_attention_kl(
    student: Tensor,
    teacher: Tensor,
    student_keys: Tensor | None,
    teacher_keys: Tensor | None,
    is_query: Tensor,
    is_key: Tensor,
    temperature: float,
    wanted: bool,
) -> tuple[Tensor, Tensor, Tensor]:
    """(Σ KL / number of queries, its gradients for the student's queries and keys).

    The gradient of a tile is taken while its probabilities are there, so nothing is computed twice.

    Args:
        student: queries ``(N, D, Q)``.
        teacher: queries ``(N, D', Q)``.
        student_keys: ``(N, D, K)``; None: the queries, whose gradient is then that of both.
        teacher_keys: ``(N, D', K)``.
        is_query: ``(N, Q)``, the queries that count.
        is_key: ``(N, K)``, the keys that count.
        temperature: τ.
        wanted: whether the gradients are; else they are empty.
    """
    total, count = student.new_zeros(()), is_query.sum().clamp(min=1)
    gradients = [
        torch.zeros_like(m) if wanted and m is not None else student.new_empty(0) for m in (student, student_keys)
    ]
    for image in range(student.shape[0]):
        rows, columns = _chosen(is_query[image]), _chosen(is_key[image])
        queries, keys = [m[image][:, rows] for m in (student, teacher)], None
        if student_keys is not None and teacher_keys is not None:
            keys = [m[image][:, columns] for m in (student_keys, teacher_keys)]
        found = [torch.zeros_like(m) for m in (queries[0], *(keys or ())[:1])] if wanted else []
        total += _sum_of_image(queries, keys or queries, 1 / temperature, found)
        for gradient, of_image, pixels in zip(gradients, found, (rows, columns), strict=False):
            gradient[image][:, pixels] = of_image / count
    return total / count, gradients[0], gradients[1]


def _chosen(mask: Tensor) -> slice | Tensor:
    """An index of the pixels of ``mask``: without a copy where they are all."""
    return slice(None) if bool(mask.all()) else mask


def _sum_of_image(queries: list[Tensor], keys: list[Tensor], factor: float, gradients: list[Tensor]) -> Tensor:
    """Σ KL of the student's and the teacher's ``(D, Q)`` and ``(D, K)``; adds to ``gradients``, of queries and keys."""
    total = queries[0].new_zeros(())
    rows = max(_ROWS, _TILE // max(1, keys[0].shape[1]))
    for start in range(0, queries[0].shape[1], rows):
        tile = slice(start, start + rows)
        student, teacher = (factor * m[:, tile] for m in queries)
        log_q, log_p = (student.mT @ keys[0]).log_softmax(1), (teacher.mT @ keys[1]).log_softmax(1)
        p = log_p.exp()
        total += torch.dot(log_p.sub_(log_q).flatten(), p.flatten())
        if gradients:
            slope = log_q.exp_().sub_(p)
            gradients[0][:, tile].addmm_(keys[0], slope.mT, alpha=factor)
            gradients[-1].addmm_(student, slope)
    return total


@tiled_attention_kl.register_fake
def _(student: Tensor, teacher: Tensor, student_keys: Tensor | None, *rest: Any) -> tuple[Tensor, Tensor, Tensor]:  # noqa: ARG001
    wanted = rest[-1]
    gradients = [
        torch.empty_like(m) if wanted and m is not None else student.new_empty(0) for m in (student, student_keys)
    ]
    return student.new_empty(()), gradients[0], gradients[1]


def _save(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor, Tensor]) -> None:
    ctx.set_materialize_grads(False)
    ctx.between = inputs[2] is not None
    ctx.save_for_backward(*output[1:])


def _backward(ctx: Any, gradient: Tensor | None, *_: object) -> tuple[Tensor | None, ...]:
    if gradient is None:
        return (None,) * 8
    queries, keys = ctx.saved_tensors
    return gradient * queries, None, gradient * keys if ctx.between else None, None, None, None, None, None


tiled_attention_kl.register_autograd(_backward, setup_context=_save)
