import pytest
import torch

from tests.train.models.test_smp import small
from train.errors import UserError
from train.models.tap_shapes import TapShape, tap_shapes
from train.models.taps import Taps

IMAGE = torch.zeros(2, 3, 64, 96, dtype=torch.uint8)


def test_an_encoder_stage_is_found_by_its_stride() -> None:
    stages = {f"stride:{stride}": torch.full((1, 1), float(stride)) for stride in (2, 4, 8, 16)}
    taps = Taps(stages)
    assert taps["stride:8"] is stages["stride:8"]
    assert taps["stride:32"] is stages["stride:16"], "the deepest stage of at most that stride"
    with pytest.raises(UserError, match=r"'stride:1'.*it shows stride:2, stride:4"):
        taps["stride:1"]


def test_a_network_shows_its_modules() -> None:
    network = small("deeplabv3plus").eval()
    taps = network(IMAGE, frozenset({"logits", "module:decoder.aspp"}))
    assert taps["module:decoder.aspp"].shape[:2] == (2, 32)
    assert "module:decoder.aspp" not in network(IMAGE).maps
    assert all(not module._forward_hooks for module in network.modules())


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("decoder.asp", r"no such module: did you mean 'module:decoder.aspp'"),
        ("encoder", r"gives list, not a map"),
        ("decoder.aspp.0.convs.4.0", r"\(1, 176, 1, 1\) for an image of 256x256, no stride"),
    ],
)
def test_a_module_that_cannot_be_tapped_is_one_line(path: str, reason: str) -> None:
    with pytest.raises(UserError, match=reason):
        tap_shapes(small("deeplabv3plus"), [f"module:{path}"])


def test_nothing_behind_the_encoder_runs_unasked() -> None:
    network = small("fpn").eval()
    ran: list[str] = []
    for name in ("encoder", "decoder", "classifier"):
        network.get_submodule(name).register_forward_hook(lambda *_, name=name: ran.append(name))
    taps = network(IMAGE, frozenset({"stride:8"}))
    assert ran == ["encoder"]
    with pytest.raises(UserError, match="'logits'"):
        _ = taps.logits
    network(IMAGE)
    assert ran == ["encoder", "encoder", "decoder", "classifier"]


def test_shapes_of_taps() -> None:
    network = small("deeplabv3plus").train()
    shapes = tap_shapes(network, ["logits", "fused", "stride:2", "stride:32"])
    shown = network(IMAGE)
    assert shapes == {
        "logits": TapShape(5, 4),
        "fused": TapShape(32, 4),
        "stride:2": TapShape(shown["stride:2"].shape[1], 2),
        "stride:32": TapShape(shown["stride:16"].shape[1], 16),  # dilated: stride 16 is its last
    }
    assert network.training


def test_a_batch_of_two_frames_is_split() -> None:
    first, second = Taps({"logits": torch.arange(6).view(3, 2)}).split(2)
    assert first.logits.tolist() == [[0, 1], [2, 3]]
    assert second.logits.tolist() == [[4, 5]]
