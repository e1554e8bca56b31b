"""The family is as small as promised, and made of what runtimes fuse and quantise."""

import pytest
import torch
from torch import nn

from export.graph import make_graph
from export.manifest import OutputSpec
from tests.export.test_graph import spec
from train.models.build import cost
from train.models.plain import PLANS, plain

every = pytest.mark.parametrize("name", PLANS)


@pytest.mark.parametrize(("name", "most"), [("plain_s", 0.36e6), ("plain_m", 1e6), ("plain_l", 3e6)])
def test_parameters_are_within_the_promise(name: str, most: float) -> None:
    with torch.device("meta"):
        size = cost(plain(name, 19), (352, 480))
    assert 0.9 * most < size.parameters <= most


@every
def test_every_convolution_is_dense_and_every_normalisation_folds_into_one(name: str) -> None:
    modules = list(plain(name, 11).modules())
    convolutions = [module for module in modules if isinstance(module, nn.Conv2d)]
    assert {(found.groups, found.dilation, found.kernel_size) for found in convolutions} <= {
        (1, (1, 1), (1, 1)),
        (1, (1, 1), (3, 3)),
    }
    for sequence in (module for module in modules if isinstance(module, nn.Sequential)):
        for before, after in zip(sequence, list(sequence)[1:], strict=False):
            assert not isinstance(after, nn.BatchNorm2d) or isinstance(before, nn.Conv2d)


@pytest.mark.slow
@every
def test_the_exported_graph_has_nothing_that_breaks_a_fusion(name: str) -> None:
    network = plain(name, 11).eval()
    graph = make_graph(network, spec(network, "fixed"), OutputSpec()).graph
    body = {node.op_type for node in graph.node} - {"Cast", "Transpose", "Sub", "Div", "ArgMax", "Constant"}
    assert body <= {"Conv", "Relu", "Add", "Resize", "ReduceMean", "GlobalAveragePool"}
    assert sum(node.op_type == "Resize" for node in graph.node) == 4, "three sums, and the logits"
