import torch
from torch import Tensor, nn

from train.losses.projections import FixedProjections, RedrawnProjections


def features(channels: int = 16) -> Tensor:
    return torch.randn(2, channels, 3, 4, generator=torch.Generator().manual_seed(5), dtype=torch.float64)


def same(one: nn.Module, other: nn.Module) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one(features()), other(features()), strict=True))


def test_queries_and_keys_have_an_eighth_of_the_channels() -> None:
    query, key, value = FixedProjections(16, 0)(features())
    assert query.shape == key.shape == (2, 2, 3, 4)
    assert value.shape == (2, 16, 3, 4)
    assert FixedProjections(3, 0)(features(3))[0].shape == (2, 1, 3, 4)


def test_fixed_projections_are_orthogonal() -> None:
    projections = FixedProjections(16, 0)
    for kernel in (projections.query, projections.key, projections.value):
        rows = kernel.flatten(1)
        torch.testing.assert_close(rows @ rows.mT, torch.eye(len(rows)))
    norms = [tensor.square().sum(1) for tensor in (features(), projections(features())[2])]
    torch.testing.assert_close(norms[1], norms[0], rtol=1e-5, atol=0)


def test_fixed_projections_are_those_of_the_seed_and_of_the_checkpoint() -> None:
    one, other = FixedProjections(16, 1), FixedProjections(16, 2)
    assert same(one, FixedProjections(16, 1))
    assert not same(one, other)
    other.load_state_dict(one.state_dict())
    assert same(one, other)
    assert not list(one.parameters())


def test_redrawn_projections_differ_from_call_to_call() -> None:
    projections = RedrawnProjections(16, 0)
    first, second = projections(features())[2], projections(features())[2]
    assert not torch.equal(first, second)


def test_redrawn_projections_go_on_where_a_checkpoint_was_saved() -> None:
    projections = RedrawnProjections(16, 0)
    projections(features())
    state = projections.state_dict()
    expected = [projections(features())[2] for _ in range(2)]
    resumed = RedrawnProjections(16, 0)
    resumed.load_state_dict(state)
    assert all(torch.equal(resumed(features())[2], wanted) for wanted in expected)


def test_half_precision_is_projected_in_single() -> None:
    projections, maps = FixedProjections(16, 0), features().half()
    with torch.autocast("cpu", torch.bfloat16):
        found = projections(maps)
    for one, wanted in zip(found, projections(maps.float()), strict=True):
        torch.testing.assert_close(one, wanted)
