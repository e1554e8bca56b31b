"""What a loss gives, teaches and remembers does not depend on how many processes share the batch."""

import pytest
import torch

from tests.train.losses.cases import CASES
from tests.train.losses.shared import Learnt, learnt_of_all
from tests.train.started import in_processes


@pytest.fixture(scope="module")
def alone() -> dict[str, Learnt]:
    return learnt_of_all()


@pytest.fixture(scope="module")
def in_two(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Learnt]]:
    return in_processes(2, learnt_of_all, tmp_path_factory.mktemp("two"))


@pytest.mark.parametrize("name", CASES)
def test_two_processes_learn_what_one_does(
    name: str, alone: dict[str, Learnt], in_two: list[dict[str, Learnt]]
) -> None:
    expected, parts = alone[name], [learnt[name] for learnt in in_two]
    maps = [torch.cat(halves) for halves in zip(*(part.maps for part in parts), strict=True)]
    torch.testing.assert_close(maps, expected.maps, rtol=1e-6, atol=1e-9)
    for part in parts:
        torch.testing.assert_close(part.terms, expected.terms, rtol=1e-6, atol=1e-9, check_dtype=False)
        torch.testing.assert_close(part.parameters, expected.parameters, rtol=1e-6, atol=1e-9)
        torch.testing.assert_close(part.buffers, expected.buffers)
