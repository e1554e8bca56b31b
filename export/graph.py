"""From a trained network to one ONNX graph: uint8 pictures in, uint8 class ids out."""

from pathlib import Path

import onnx
import onnxslim
import torch
from torch import Tensor, nn

from export.fold import fold_batchnorm
from export.manifest import InputSpec, OutputSpec
from train.models.build import predict
from train.models.smp import SmpNetwork

OPSET = 20
"""Highest opset that TensorRT 10.3 (JetPack 6) parses."""


class DeployedNetwork(nn.Module):
    """The network as users call it, with normalisation, the one upsampling and argmax inside.

    Images ``(N, H, W, 3)`` uint8 RGB to class ids ``(N, H, W)`` uint8 and logits ``(N, C, h, w)``.
    """

    def __init__(self, network: SmpNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        # Cast first: TensorRT refuses to transpose uint8.
        logits = self.network(image.float().permute(0, 3, 1, 2)).logits
        return predict(logits, image.shape[1:3]), logits  # type: ignore[arg-type]


def write_graph(network: SmpNetwork, spec: InputSpec, output: OutputSpec, path: Path) -> None:
    """Export, slim and check the graph; what is not in `OutputSpec` is left out of it."""
    deployed = DeployedNetwork(network).eval()
    batch = 2 if spec.dynamic_batch else 1  # torch.export takes an example of 1 for a constant
    example = torch.zeros(batch, spec.height, spec.width, 3, dtype=torch.uint8)
    with torch.inference_mode():
        program = torch.onnx.export(
            deployed,
            (example,),
            input_names=[spec.name],
            output_names=[output.name, output.logits or "logits"],
            dynamic_shapes=(_dynamic_shape(spec),),
            opset_version=OPSET,
            dynamo=True,
            external_data=False,
            verbose=False,
        )
    assert program is not None
    model = program.model_proto
    if output.logits is None:
        del model.graph.output[1:]
    model = onnxslim.slim(model)
    fold_batchnorm(model)
    model = onnxslim.slim(model)  # again: drops the weights that folding has replaced
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)


def _dynamic_shape(spec: InputSpec) -> dict[int, object]:
    shape: dict[int, object] = {}
    if spec.dynamic_batch:
        shape[0] = torch.export.Dim("batch", min=1, max=1024)
    if spec.dynamic_size:
        shape[1] = spec.multiple * torch.export.Dim("rows", min=1, max=16384 // spec.multiple)
        shape[2] = spec.multiple * torch.export.Dim("columns", min=1, max=16384 // spec.multiple)
    return shape
