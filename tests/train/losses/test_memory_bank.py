import torch
from torch import Tensor

from train.losses.memory_bank import MemoryBank, rank_in_group


def bank(classes: int = 3, size: int = 4) -> MemoryBank:
    return MemoryBank(classes, size, 2, torch.Generator().manual_seed(0))


def numbered(first: int, count: int) -> Tensor:
    """Embeddings that say when they came."""
    return torch.arange(first, first + count)[:, None].repeat(1, 2).float()


def test_it_starts_full_of_random_unit_vectors_of_a_seed() -> None:
    lengths = torch.linalg.vector_norm(bank().embeddings, dim=2)
    torch.testing.assert_close(lengths, torch.ones_like(lengths))
    assert torch.equal(bank().embeddings, bank().embeddings)


def test_the_oldest_of_a_class_make_room() -> None:
    memory = bank()
    memory.insert(numbered(1, 3), torch.tensor([0, 2, 0]))
    memory.insert(numbered(4, 3), torch.tensor([0, 0, 0]))
    assert memory.embeddings[0, :, 0].tolist() == [6, 3, 4, 5]
    assert memory.embeddings[2, 0, 0] == 2
    assert torch.equal(memory.embeddings[1], bank().embeddings[1])
    assert torch.equal(memory.embeddings[2, 1:], bank().embeddings[2, 1:])


def test_of_more_than_it_holds_the_last_ones_stay() -> None:
    memory = bank()
    memory.insert(numbered(1, 9), torch.zeros(9, dtype=torch.long))
    memory.insert(numbered(10, 1), torch.zeros(1, dtype=torch.long))
    assert sorted(memory.embeddings[0, :, 0].tolist()) == [7, 8, 9, 10]


def test_nothing_to_insert_changes_nothing() -> None:
    memory = bank()
    memory.insert(torch.empty(0, 2), torch.empty(0, dtype=torch.long))
    assert torch.equal(memory.embeddings, bank().embeddings)


def test_a_sample_has_as_many_of_each_class_and_none_twice() -> None:
    memory = bank()
    memory.embeddings.copy_(numbered(0, 12).view(3, 4, 2))
    found = memory.sample(2, torch.Generator().manual_seed(0))[:, 0].tolist()
    assert [int(value) // 4 for value in found] == [0, 0, 1, 1, 2, 2]
    assert len(set(found)) == 6
    assert sorted(memory.sample(9, torch.Generator())[:, 0].tolist()) == list(range(12))


def test_ranks_count_up_within_each_group() -> None:
    assert rank_in_group(torch.tensor([2, 0, 2, 2, 0, 1]), 4).tolist() == [0, 0, 1, 2, 1, 0]
