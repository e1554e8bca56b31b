"""TensorRT's own parser takes every student in every precision, and builds a plan from it."""

from pathlib import Path
from typing import get_args

import numpy as np
import onnx
import pytest
import torch
from PIL import Image
from torch import nn

from export.bundle import load_bundle
from export.fp16 import to_fp16
from export.graph import make_graph, smallest_side
from export.int8.images import choose_images
from export.int8.layers import find_layers
from export.int8.qdq import quantise
from export.int8.ranges import measure_ranges
from export.manifest import InputSpec, OutputSpec
from export.tensorrt.build import BuildOptions, Built, build_plan
from export.tensorrt.flavour import TensorRt
from export.tensorrt.layers import count_precisions
from export.tensorrt.profile import default_profile, parse_profile
from tests.train.models.test_smp import CLASSES, SMALL, small
from train.models.build import build_model
from train.models.config import ModelConfig
from train.models.network import SegmentationNetwork

_NAMES = get_args(ModelConfig.model_fields["architecture"].annotation)
ARCHITECTURES = [name for part in _NAMES for name in get_args(part) or (part,)]
ENCODER = "test_efficientnet"
"""timm's smallest: what differs between students here is the decoder."""


def student(architecture: str) -> SegmentationNetwork:
    """Its batch normalisations are left out: folded into convolutions, they would leave no trace."""
    torch.manual_seed(0)
    if architecture in SMALL:
        network = small(architecture, encoder=ENCODER)
    else:
        network = build_model(ModelConfig.model_validate({"architecture": architecture}), CLASSES)
    _drop_batchnorm(network)
    return network.eval()


def input_spec(network: SegmentationNetwork, dynamic: bool) -> InputSpec:
    """128×192 is a multiple of every student's stride."""
    return InputSpec(
        height=128,
        width=192,
        multiple=network.multiple,
        smallest=smallest_side(network),
        dynamic_batch=dynamic,
        dynamic_size=dynamic,
        mean=[0, 0, 0],
        std=[1, 1, 1],
    )


def to_int8(model: onnx.ModelProto, folder: Path, spec: InputSpec) -> onnx.ModelProto:
    """With all of its layers quantised, calibrated on an image of noise."""
    graph, images = folder / "graph.onnx", folder / "images"
    onnx.save(model, graph)
    images.mkdir()
    noise = np.random.default_rng(0).integers(0, 256, (spec.height, spec.width, 3), np.uint8)
    Image.fromarray(noise).save(images / "noise.png")
    layers = find_layers(model, graph)
    ranges = measure_ranges(graph, layers, spec, choose_images(images, count=1, seed=0), "minmax", percentile=100.0)
    return quantise(model, ranges, layers)


def build(trt: TensorRt, model: onnx.ModelProto, path: Path, spec: InputSpec) -> Built:
    onnx.save(model, path)
    profile = (
        parse_profile(f"1x{spec.smallest}x{spec.smallest}:1:4x256x192", spec)
        if spec.dynamic_size
        else default_profile(spec)
    )
    return build_plan(trt, path, BuildOptions([profile], []), path.stem, runs_here=False)


def check_student(trt: TensorRt, architecture: str, folder: Path, dynamic: bool) -> None:
    network = student(architecture)
    spec = input_spec(network, dynamic)
    check_in_every_precision(trt, make_graph(network, spec, OutputSpec(confidence="confidence")), folder, spec)


def check_in_every_precision(trt: TensorRt, model: onnx.ModelProto, folder: Path, spec: InputSpec) -> None:
    single = count_precisions(build(trt, model, folder / "fp32.onnx", spec).layers)
    half = count_precisions(build(trt, to_fp16(model, folder / "fp32.onnx"), folder / "fp16.onnx", spec).layers)
    int8 = count_precisions(build(trt, to_int8(model, folder, spec), folder / "int8.onnx", spec).layers)
    assert single["fp32"] > 10
    assert single["uint8"] >= 1  # the mask
    assert {"fp16", "int8"}.isdisjoint(single)
    assert half["fp16"] > half["fp32"]
    assert int8["int8"] > 5
    assert half["uint8"] == int8["uint8"] == single["uint8"]


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_architecture_at_a_fixed_size(rtx: TensorRt, architecture: str, tmp_path: Path) -> None:
    check_student(rtx, architecture, tmp_path, dynamic=False)


def test_a_real_export_at_any_size(rtx: TensorRt, exported: Path, tmp_path: Path) -> None:
    bundle = load_bundle(exported)
    check_in_every_precision(rtx, onnx.load(bundle.file("onnx")), tmp_path, bundle.manifest.input)


@pytest.mark.slow
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_architecture_at_any_size(rtx: TensorRt, architecture: str, tmp_path: Path) -> None:
    check_student(rtx, architecture, tmp_path, dynamic=True)


def _drop_batchnorm(module: nn.Module) -> None:
    for name, child in module.named_children():
        if isinstance(child, nn.BatchNorm2d):
            setattr(module, name, getattr(child, "act", nn.Identity()))  # timm's has its activation inside
        else:
            _drop_batchnorm(child)
