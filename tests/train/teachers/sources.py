"""Tiny teachers of every kind on disk."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor
from torch.nn import functional as F

HIDDEN = 6
STRIDE = 4
_TYPES = {"float32": TensorProto.FLOAT, "float16": TensorProto.FLOAT16, "uint8": TensorProto.UINT8}


def onnx_weights(classes: int) -> dict[str, Tensor]:
    """Of the graph that `write_onnx` writes."""
    generator = torch.Generator().manual_seed(0)
    return {
        "first": torch.randn(HIDDEN, 3, STRIDE, STRIDE, generator=generator) / 10,
        "last": torch.randn(classes, HIDDEN, 1, 1, generator=generator),
    }


def onnx_truth(images: Tensor, classes: int) -> tuple[Tensor, Tensor]:
    """What the graph computes of images as it takes them, ``(N, 3, H, W)``: its hidden map and its logits."""
    weights = onnx_weights(classes)
    hidden = F.conv2d(images.float() / 50, weights["first"], stride=STRIDE).relu()
    return hidden, F.conv2d(hidden, weights["last"])


def write_onnx(
    path: Path,
    classes: int,
    layout: str = "NCHW",
    dtype: str = "float32",
    size: tuple[Any, Any] = ("height", "width"),
    batch: Any = "batch",
    decides: bool = False,
    channels_last: bool = False,
    sizes_only: list[Any] | None = None,
) -> Path:
    """Two convolutions, the first to stride 4; ``decides``: upsampled, and class ids are all that it gives."""
    shape = sizes_only or ([batch, 3, *size] if layout == "NCHW" else [batch, *size, 3])
    turn = [0, 3, 1, 2] if layout == "NHWC" else [0, 1, 2, 3]
    nodes = [helper.make_node("Cast", ["image"], ["floats"], to=TensorProto.FLOAT)]
    nodes += [helper.make_node("Transpose", ["floats"], ["planes"], perm=turn)]
    nodes += [helper.make_node("Div", ["planes", "fifty"], ["scaled"])]
    nodes += [helper.make_node("Conv", ["scaled", "first"], ["hidden"], strides=[STRIDE, STRIDE])]
    nodes += [helper.make_node("Relu", ["hidden"], ["seen"])]
    nodes += [helper.make_node("Conv", ["seen", "last"], ["scores"])]
    output, kind = "scores", TensorProto.FLOAT
    if channels_last:
        nodes += [helper.make_node("Transpose", ["scores"], ["turned"], perm=[0, 2, 3, 1])]
        output = "turned"
    if decides:
        nodes += [helper.make_node("Resize", ["scores", "", "grow"], ["large"], mode="linear")]
        nodes += [helper.make_node("ArgMax", ["large"], ["ids"], axis=1, keepdims=0)]
        nodes += [helper.make_node("Cast", ["ids"], ["mask"], to=TensorProto.UINT8)]
        output, kind = "mask", TensorProto.UINT8
    constants = {"fifty": np.float32(50), "grow": np.array([1, 1, STRIDE, STRIDE], np.float32)}
    arrays = {name: tensor.numpy() for name, tensor in onnx_weights(classes).items()} | constants
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("image", _TYPES[dtype], shape)],
        [helper.make_tensor_value_info(output, kind, None)],
        [numpy_helper.from_array(np.asarray(array), name) for name, array in arrays.items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), path)
    return path


def write_segformer(folder: Path, classes: list[str], processor: bool = True) -> Path:
    """A SegFormer of a few thousand weights, as ``save_pretrained`` leaves it."""
    import transformers

    package: Any = transformers
    package.utils.logging.disable_progress_bar()
    torch.manual_seed(0)
    config = package.SegformerConfig(
        hidden_sizes=[8, 8, 16, 16],
        depths=[1, 1, 1, 1],
        num_attention_heads=[1, 1, 2, 2],
        decoder_hidden_size=16,
        id2label=dict(enumerate(classes)),
        label2id={name: index for index, name in enumerate(classes)},
    )
    package.SegformerForSemanticSegmentation(config).save_pretrained(folder)
    if processor:
        settings = {"image_processor_type": "SegformerImageProcessor", "do_normalize": True, "do_rescale": True}
        settings |= {"rescale_factor": 1 / 255, "image_mean": [0.4, 0.5, 0.6], "image_std": [0.2, 0.3, 0.4]}
        (folder / "preprocessor_config.json").write_text(json.dumps(settings), encoding="utf-8")
    return folder


def write_lraspp(path: Path, classes: int) -> Path:
    """torchvision's smallest network."""
    from torchvision.models import get_model

    torch.manual_seed(0)
    network = get_model("lraspp_mobilenet_v3_large", weights=None, weights_backbone=None, num_classes=classes)
    torch.save(network.state_dict(), path)
    return path
