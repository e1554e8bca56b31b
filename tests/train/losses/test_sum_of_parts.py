import torch
from torch import Tensor

from train.losses.sum_of_parts import SumOfParts


def part(student: Tensor, index: int) -> Tensor:
    return (student * student.roll(index, 0)).sum().exp()


def test_value_and_gradient_are_those_of_the_sum() -> None:
    student = 0.3 * torch.randn(3, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    student.requires_grad_()
    expected = 2 * sum((part(student, index) for index in range(3)), torch.zeros(()))
    found = 2 * SumOfParts.apply(student, 3, part)
    torch.testing.assert_close(found, expected)
    gradients = (torch.autograd.grad(total, student)[0] for total in (found, expected))
    torch.testing.assert_close(*gradients)


def test_without_a_gradient_there_is_just_the_value() -> None:
    found = SumOfParts.apply(torch.zeros(2, 2), 3, part)
    assert found == 3
    assert not found.requires_grad
