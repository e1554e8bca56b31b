import pytest
import torch

from kernels.benchmark.cases import Case, Size, on_features, on_logits, on_pairs
from kernels.benchmark.measure import milliseconds, peak_megabytes

CPU = torch.device("cpu")
FEATURES = Size("tiny", 2, 6, 10, 10)
TINY = [*on_logits(Size("tiny", 2, 5, 8, 12)), *on_pairs(FEATURES), *on_features(FEATURES)]
# Public code gives the condensed maps themselves, and ignored pixels a similarity of 1.
OTHER_RESULT = ("condensation", "class_means")


@pytest.mark.parametrize("case", [c for c in TINY if c.operation not in OTHER_RESULT], ids=lambda c: c.operation)
def test_both_forms_are_the_same_formula(case: Case) -> None:
    inputs = case.inputs(CPU, torch.float64)
    ours, eager = case.ours(inputs), case.eager(inputs)
    torch.testing.assert_close(ours, eager)
    gradients = [torch.autograd.grad(loss, inputs["student"])[0] for loss in (ours, eager)]
    torch.testing.assert_close(*gradients)


@pytest.mark.parametrize("case", [c for c in TINY if c.operation in OTHER_RESULT], ids=lambda c: c.operation)
def test_the_rest_run(case: Case) -> None:
    inputs = case.inputs(CPU, torch.float32)
    assert case.ours(inputs).isfinite()
    assert case.eager(inputs).isfinite()


def test_time_and_memory_are_of_the_size_of_the_work() -> None:
    def fill() -> None:
        torch.zeros(25_000_000)

    peak = peak_megabytes(fill, CPU)
    assert peak is None or 90 < peak < 130
    assert milliseconds(fill, CPU, budget_s=0.05) > 1
