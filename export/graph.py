"""From a trained network to one ONNX graph: uint8 pictures in, uint8 class ids out."""

import contextlib
import copy

import onnx
import onnxslim
import torch
from torch import Tensor, nn

from export.fold import fold_batchnorm
from export.layer_names import name_layers
from export.manifest import InputSpec, OutputSpec
from export.pooling import replace_adaptive_pooling
from train.data.resize import Size
from train.errors import UserError
from train.models.network import SegmentationNetwork

OPSET = 18
"""The exporter's lowest, and all that is needed: ONNX Runtime reads it from 1.14 on, TensorRT from 10.0 on."""
IR_VERSION = 8
"""The format of the file that came with opset 18: ONNX Runtime 1.14 refuses a newer one."""


_LONGEST_SIDE = 16384


class DeployedNetwork(nn.Module):
    """The network as users call it, with normalisation, the one upsampling, argmax and softmax inside.

    Images ``(N, H, W, 3)`` uint8 RGB to class ids ``(N, H, W)`` uint8, confidence ``(N, H, W)`` uint8 and logits
    ``(N, C, h, w)``. The confidence is 255 times the softmax probability of the class given, rounded: one byte a pixel,
    a type that every runtime and C++ have, and finer than a softmax is calibrated.
    """

    def __init__(self, network: SegmentationNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        # Cast first: TensorRT refuses to transpose uint8.
        logits = self.network(image.float().permute(0, 3, 1, 2)).logits
        upsampled = self.upsample(logits, image.shape[1:3])  # type: ignore[arg-type]
        # The largest of a softmax. With Softmax itself, over channels, ONNX Runtime takes as long as for all the rest.
        confidence = 255 / (upsampled - upsampled.amax(dim=1, keepdim=True)).exp().sum(dim=1)
        return upsampled.argmax(dim=1).to(torch.uint8), confidence.round().to(torch.uint8), logits

    @staticmethod
    def upsample(logits: Tensor, size: Size) -> Tensor:
        """Logits ``(N, C, h, w)`` to ``(N, C, *size)``, as `train.models.build.predict` does before its argmax."""
        return nn.functional.interpolate(logits.float(), size, mode="bilinear", align_corners=False)


def smallest_side(network: SegmentationNetwork) -> int:
    """The shortest side in pixels that the network takes: poolings may need more than one multiple of its stride."""
    for count in (1, 2, 4, 8):
        side = count * network.multiple
        # ValueError: a group norm of one value.
        with contextlib.suppress(RuntimeError, ValueError), torch.inference_mode():
            network(torch.zeros(1, 3, side, side))
            return side
    return 16 * network.multiple


def make_graph(network: SegmentationNetwork, spec: InputSpec, output: OutputSpec) -> onnx.ModelProto:
    """Export, slim and check; what is not in `OutputSpec` is left out.

    Raises:
        UserError: an operation of the network is not one of ONNX's, or cannot be followed by the exporter.
    """
    exported = _export(network, spec)
    _keep_outputs(exported, output)
    model: onnx.ModelProto = onnxslim.slim(exported)
    fold_batchnorm(model)
    model = onnxslim.slim(model)  # again: drops the weights that folding has replaced
    check_operations(model)
    _drop_notes(model)
    model.ir_version = IR_VERSION
    onnx.checker.check_model(model, full_check=True)
    return model


def _export(network: SegmentationNetwork, spec: InputSpec) -> onnx.ModelProto:
    plain = copy.deepcopy(network).to(memory_format=torch.contiguous_format)
    deployed = DeployedNetwork(replace_adaptive_pooling(plain)).eval()
    # The exporter takes for a constant what is 1 at the example: a batch, or a side of the smallest map.
    batch = 2 if spec.dynamic_batch else 1
    size = (16 * spec.multiple, 24 * spec.multiple) if spec.dynamic_size else (spec.height, spec.width)
    example = torch.zeros(batch, *size, 3, dtype=torch.uint8)
    try:
        # Traced here and not by the exporter, under which smp's PSPNet takes another path that is wrong at other sizes.
        with torch.inference_mode():
            traced = torch.export.export(deployed, (example,), dynamic_shapes=(_dynamic_shape(spec),))
            program = torch.onnx.export(
                traced,
                input_names=[spec.name],
                output_names=["mask", "confidence", "logits"],
                opset_version=OPSET,
                dynamo=True,
                external_data=False,
                verbose=False,
            )
    except Exception as error:  # tracing and exporting raise many kinds; all of them mean that this layer cannot go
        raise UserError(f"the network cannot be written as ONNX: {_reason(error)}: change this layer") from error
    assert program is not None
    model: onnx.ModelProto = program.model_proto
    name_layers(model, deployed.network)
    return model


def _keep_outputs(model: onnx.ModelProto, output: OutputSpec) -> None:
    """Only what is asked for, under the names asked for."""
    names = {"mask": output.name, "confidence": output.confidence, "logits": output.logits}
    kept = [(value, names[value.name]) for value in model.graph.output if names[value.name] is not None]
    del model.graph.output[:]
    for value, name in kept:
        assert value.name == name, "the exporter gives each output its own name"
        model.graph.output.append(value)


def _reason(error: BaseException) -> str:
    """The first line of what is underneath: the exporter's own message is a page of advice."""
    while error.__cause__ is not None:
        error = error.__cause__
    text = str(error).strip()
    return f"{type(error).__name__}: {text.splitlines()[0] if text else ''}"


def check_operations(model: onnx.ModelProto) -> None:
    """`UserError` names the operations that are of another library: no runtime here has them."""
    foreign = sorted({f"{node.domain}.{node.op_type}" for node in model.graph.node if node.domain})
    if foreign:
        raise UserError(f"the network has operations that ONNX does not know ({', '.join(foreign)}): change them")


def _drop_notes(model: onnx.ModelProto) -> None:
    """The exporter's notes: a format newer than IR version 8, and source paths of this machine in them."""
    for part in (*model.graph.node, *model.graph.value_info, *model.graph.input, *model.graph.output):
        part.ClearField("metadata_props")
        part.ClearField("doc_string")
    for initializer in model.graph.initializer:
        initializer.ClearField("metadata_props")
        initializer.ClearField("doc_string")
    model.graph.ClearField("metadata_props")
    model.ClearField("functions")
    # Shapes between the layers too: where two differ by a rounding only, they are noted as one, and ONNX Runtime, which
    # finds them itself, would use one's memory for the other.
    del model.graph.value_info[:]


def _dynamic_shape(spec: InputSpec) -> dict[int, object]:
    shape: dict[int, object] = {}
    if spec.dynamic_batch:
        shape[0] = torch.export.Dim("batch", min=1, max=1024)
    if spec.dynamic_size:
        bounds = {"min": spec.smallest // spec.multiple, "max": _LONGEST_SIDE // spec.multiple}
        shape[1] = spec.multiple * torch.export.Dim("rows", **bounds)
        shape[2] = spec.multiple * torch.export.Dim("columns", **bounds)
    return shape
