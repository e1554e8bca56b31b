"""What every network that can be a student promises, whatever it is made of."""

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from export.graph import make_graph
from tests.export.test_graph import ALL_OUTPUTS, assert_same, spec
from tests.train.models.test_smp import SMALL
from train.models.build import build_model, cost, predict
from train.models.config import ModelConfig
from train.models.network import SegmentationNetwork
from train.models.tap_shapes import tap_shapes

CLASSES = 5
STUDENTS: dict[str, dict[str, Any]] = {
    **{name: {} for name in ("plain_s", "plain_m", "plain_l", "pidnet_s", "ddrnet_23_slim")},
    **{
        name: {"encoder": "lcnet_035", "decoder": SMALL[name]} for name in ("fpn", "unet", "deeplabv3plus", "segformer")
    },
}

every = pytest.mark.parametrize("name", STUDENTS)
one_is_fast = pytest.mark.parametrize(
    "name", ["plain_s", *(pytest.param(name, marks=pytest.mark.slow) for name in STUDENTS if name != "plain_s")]
)


def build(name: str, **changes: object) -> SegmentationNetwork:
    torch.manual_seed(0)
    return build_model(ModelConfig.model_validate({"architecture": name, **STUDENTS[name], **changes}), CLASSES)


def noise(network: SegmentationNetwork, rows: int, columns: int, batch: int = 1) -> Tensor:
    """Images of so many multiples of what a side must be a multiple of."""
    shape = (batch, 3, rows * network.multiple, columns * network.multiple)
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


@every
def test_taps_have_the_shapes_that_losses_are_built_for(name: str) -> None:
    network = build(name)
    image = noise(network, 1, 3, batch=2)
    taps = network(image)
    sides = [tuple(image.shape[-1 - axis] // stage.shape[-1 - axis] for axis in (0, 1)) for stage in taps.stages]
    strides = [stride for stride, _ in sides]
    assert sides == [(stride, stride) for stride in strides]
    assert strides == sorted(set(strides))
    assert strides[0] == 2
    assert taps.logits.shape[:2] == (2, CLASSES)
    assert taps.fused.shape[-2:] == taps["pre_classifier"].shape[-2:] == taps.logits.shape[-2:]
    for tap, shape in tap_shapes(network, ["logits", "fused", "pre_classifier", "stride:8", "stride:32"]).items():
        size = [side // shape.stride for side in image.shape[-2:]]
        assert taps[tap].shape == (2, shape.channels, *size)


@every
def test_every_weight_learns(name: str) -> None:
    network = build(name)
    taps = network(noise(network, 2, 3, batch=2))
    loss = (taps.logits * torch.randn_like(taps.logits)).sum()
    if taps.aux is not None:
        assert taps.aux.shape[:2] == (2, CLASSES)
        loss = loss + (taps.aux * torch.randn_like(taps.aux)).sum()
    loss.backward()
    assert [path for path, parameter in network.named_parameters() if parameter.grad is None] == []


@every
def test_every_size_has_a_prediction_and_no_auxiliary_logits(name: str) -> None:
    network = build(name).eval()
    for rows, columns in ((1, 2), (3, 1), (5, 3)):
        image = noise(network, rows, columns)
        with torch.inference_mode():
            taps = network(image)
            assert torch.equal(taps.logits, network(image.float()).logits), "normalisation is inside"
        assert taps.aux is None
        assert predict(taps.logits, image.shape[-2:]).shape == (1, *image.shape[-2:])  # type: ignore[arg-type]


@every
def test_an_image_does_not_depend_on_its_batch(name: str) -> None:
    network = build(name).eval()
    images = noise(network, 1, 2, batch=3)
    with torch.inference_mode():
        together, alone = network(images).logits, torch.cat([network(image[None]).logits for image in images])
    torch.testing.assert_close(together, alone, rtol=1e-3, atol=1e-4 * float(alone.abs().max()))


@every
def test_stages_alone_run_neither_decoder_nor_heads(name: str) -> None:
    network = build(name)
    ran: list[str] = []
    for path, module in network.named_children():
        module.register_forward_hook(lambda *_, path=path: ran.append(path))
    network(noise(network, 1, 2, batch=2), frozenset({"stride:8"}))
    assert ran == ["encoder"]


@every
def test_memory_format_and_saving_change_nothing(name: str, tmp_path: Path) -> None:
    network = build(name).eval()
    save_file(network.state_dict(), tmp_path / "model.safetensors")
    torch.manual_seed(1)
    other = build_model(ModelConfig.model_validate({"architecture": name, **STUDENTS[name]}), CLASSES).eval()
    image = noise(network, 1, 2, batch=2)
    with torch.inference_mode():
        expected = network(image).logits
        assert not torch.allclose(other(image).logits, expected), "weights follow the seed"
        other.load_state_dict(load_file(tmp_path / "model.safetensors"))
        assert torch.equal(other(image).logits, expected)
        other.to(memory_format=torch.channels_last)
        last = other(image.contiguous(memory_format=torch.channels_last)).logits
    torch.testing.assert_close(last, expected, rtol=1e-3, atol=1e-3 * float(expected.abs().max()))


@every
def test_batchnorm_momentum_is_the_configured_one(name: str) -> None:
    network = build(name, batchnorm_momentum=0.25)
    assert {module.momentum for module in network.modules() if isinstance(module, nn.BatchNorm2d)} == {0.25}


@every
def test_the_auxiliary_head_is_no_part_of_the_cost(name: str) -> None:
    network = build(name)
    size = (network.multiple, 2 * network.multiple)
    before = cost(network, size)
    network.auxiliary = None
    assert cost(network, size) == before
    assert before.parameters == sum(parameter.numel() for parameter in network.parameters())


@one_is_fast
def test_the_graph_of_torch_compile_has_no_break(name: str) -> None:
    torch.compiler.reset()  # it takes no more than eight networks of one class
    network = build(name).eval()
    image = noise(network, 1, 2)
    with torch.inference_mode():
        compiled = torch.compile(network, backend="eager", fullgraph=True)
        assert torch.equal(compiled(image).logits, network(image).logits)


@pytest.mark.slow
@every
def test_the_exported_graph_gives_the_same_class_map(name: str) -> None:
    network = build(name).train()
    with torch.no_grad():
        for _ in range(12):  # normalisation sees some images, so that logits are of sane size
            network(noise(network, 2, 2, batch=2))
    network.eval()
    model = make_graph(network, spec(network), ALL_OUTPUTS)
    for rows, columns in ((3, 5), (7, 3)):
        assert_same(model, network, (2, rows * network.multiple, columns * network.multiple))
