import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.train.teachers.sources import write_segformer
from train.data.camvid import CLASSES
from train.errors import UserError
from train.teachers.contract import LoadedTeacher
from train.teachers.hugging_face import HuggingFaceTeacher
from train.teachers.hugging_face_network import HuggingFaceNetwork
from train.teachers.normalisation import NONE

IMAGES = torch.randint(0, 256, (2, 3, 64, 96), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))


def load(folder: Path, **settings: Any) -> LoadedTeacher:
    return HuggingFaceTeacher.model_validate({"kind": "hugging_face", "folder": folder, **settings}).load(CLASSES)


def test_logits_are_the_models_own_under_its_processors_normalisation(segformer: Path) -> None:
    import transformers

    package: Any = transformers
    model = package.SegformerForSemanticSegmentation.from_pretrained(segformer).eval()
    mean, std = torch.tensor([0.4, 0.5, 0.6]).view(1, 3, 1, 1), torch.tensor([0.2, 0.3, 0.4]).view(1, 3, 1, 1)
    loaded = load(segformer)
    with torch.inference_mode():
        expected = model((IMAGES / 255 - mean) / std, output_hidden_states=True)
        shown = loaded.network(IMAGES)
    torch.testing.assert_close(shown.logits, expected.logits, atol=1e-5, rtol=1e-4)
    assert [tuple(stage.shape[-2:]) for stage in shown.stages] == [(16, 24), (8, 12), (4, 6), (2, 3)]
    torch.testing.assert_close(shown["stride:32"], expected.hidden_states[-1], atol=1e-5, rtol=1e-4)
    assert shown.fused.shape == (2, 16, 16, 24)
    assert loaded.classes == CLASSES
    assert "model.decode_head.classifier" in dict(loaded.network.named_modules())


def test_tokens_become_maps() -> None:
    import transformers

    package: Any = transformers
    config = package.SegformerConfig(hidden_sizes=[8] * 4, depths=[1] * 4, num_attention_heads=[1] * 4, num_labels=3)
    network = HuggingFaceNetwork(package.SegformerForSemanticSegmentation(config), NONE, False, "tiny")
    tokens = torch.arange(2 * 25 * 4.0).reshape(2, 25, 4)  # a class token and 4 x 6 patches of 16 pixels
    found = network._as_map(tokens, torch.Size((64, 96)))
    assert found is not None
    assert torch.equal(found[1, :, 2, 3], tokens[1, 1 + 2 * 6 + 3])


def test_a_folder_without_weights(segformer: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(segformer, copy)
    (copy / "model.safetensors").rename(copy / "pytorch_model.bin")
    with pytest.raises(UserError, match=r"pickled \(\.bin\), which is not read here"):
        load(copy)
    (copy / "pytorch_model.bin").unlink()
    with pytest.raises(UserError, match=r"a config without weights \(no \.safetensors\)"):
        load(copy)
    (copy / "config.json").unlink()
    with pytest.raises(UserError, match=r"no config\.json here"):
        load(copy)


def test_a_normalisation_that_nobody_says_must_be_stated(tmp_path: Path) -> None:
    folder = write_segformer(tmp_path / "bare", ["LABEL_0", "LABEL_1"], processor=False)
    with pytest.raises(UserError, match="how its images were normalised is not known"):
        load(folder)
    loaded = load(folder, normalisation={"name": "imagenet"})
    assert loaded.network.mean.flatten().tolist() == pytest.approx([123.675, 116.28, 103.53])
    assert loaded.classes == []  # LABEL_0 is no name


def test_the_order_of_channels_is_the_processors_whatever_normalisation_is_stated(
    segformer: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(segformer, copy)
    processor = json.loads((copy / "preprocessor_config.json").read_text(encoding="utf-8"))
    (copy / "preprocessor_config.json").write_text(json.dumps({**processor, "do_flip_channel_order": True}))
    stated = {"normalisation": {"name": "unit"}}
    with torch.inference_mode():
        shown = load(copy, **stated).network(IMAGES).logits
        expected = load(segformer, **stated).network(IMAGES.flip(1)).logits
    torch.testing.assert_close(shown, expected)


def test_damaged_weights_are_one_line(segformer: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(segformer, copy)
    (copy / "model.safetensors").write_bytes(b"damaged")
    with pytest.raises(UserError, match="transformers cannot load it") as caught:
        load(copy)
    assert "\n" not in str(caught.value)
