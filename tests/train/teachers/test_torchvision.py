from pathlib import Path
from typing import Any

import pytest
import torch
from torchvision.models import get_model

from tests.train.same import assert_same_tensors
from train.data.camvid import CLASSES
from train.errors import UserError
from train.models.network import SegmentationNetwork
from train.teachers.normalisation import IMAGENET
from train.teachers.torchvision import TorchvisionNetwork, TorchvisionTeacher

IMAGES = torch.randint(0, 256, (2, 3, 64, 96), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))


def load(**settings: Any) -> SegmentationNetwork:
    return TorchvisionTeacher.model_validate({"kind": "torchvision", **settings}).load(CLASSES).network


def test_logits_are_torchvisions_before_its_upsampling(lraspp: Path) -> None:
    network = load(architecture="lraspp_mobilenet_v3_large", file=lraspp)
    whole = get_model("lraspp_mobilenet_v3_large", weights=None, weights_backbone=None, num_classes=len(CLASSES))
    whole.load_state_dict(torch.load(lraspp, weights_only=True))
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in IMAGENET)
    with torch.inference_mode():
        expected = whole.eval()((IMAGES - mean) / std)["out"]
        logits = network(IMAGES).logits
        upsampled = torch.nn.functional.interpolate(logits, (64, 96), mode="bilinear", align_corners=False)
    torch.testing.assert_close(upsampled, expected, atol=1e-5, rtol=1e-4)


def test_taps_of_a_dilated_network() -> None:
    network = TorchvisionNetwork("deeplabv3_mobilenet_v3_large", 5).eval()
    with torch.inference_mode():
        shown = network(IMAGES)
        stages = network(IMAGES, frozenset({"stride:8"}))
    assert [stage.shape[-1] for stage in shown.stages] == [48, 24, 12, 6]
    assert shown.fused.shape == (2, 256, 4, 6)
    assert "logits" not in stages.maps
    assert_same_tensors({"8": stages["stride:8"]}, {"8": shown["stride:8"]})


def test_weights_of_something_else(lraspp: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="weights of another architecture"):
        load(architecture="deeplabv3_mobilenet_v3_large", file=_renamed(lraspp, tmp_path))
    with pytest.raises(UserError, match=r"no weights of fcn_resnet50"):
        load(architecture="fcn_resnet50", file=_other(tmp_path))
    with pytest.raises(UserError, match="has COCO_WITH_VOC_LABELS_V1"):
        load(architecture="fcn_resnet50", weights="COCO")
    with pytest.raises(UserError, match="no such file of weights"):
        load(file=tmp_path / "nowhere")


def _renamed(path: Path, tmp_path: Path) -> Path:
    target = tmp_path / "renamed.pth"
    torch.save({f"module.{key}": value for key, value in torch.load(path, weights_only=True).items()}, target)
    return target


def _other(tmp_path: Path) -> Path:
    torch.save({"state_dict": {"weight": torch.zeros(2)}}, tmp_path / "other.pth")
    return tmp_path / "other.pth"
