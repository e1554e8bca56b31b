"""From an ONNX file to TensorRT's network, strongly typed: each tensor has the graph's precision (no torch)."""

from pathlib import Path

from export.bundle import BundleError
from export.tensorrt import api
from export.tensorrt.flavour import TensorRt
from export.tensorrt.log import Log, one_line


def parse_onnx(trt: TensorRt, builder: api.Builder, path: Path, log: Log) -> api.INetworkDefinition:
    """The network of an ONNX file.

    Raises:
        BundleError: TensorRT's parser refuses it; the message names the first node it cannot take.
    """
    network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    parser = trt.OnnxParser(network, log.logger)
    if not parser.parse_from_file(str(path)):
        raise BundleError(
            f"{path}: {trt.__name__} {trt.__version__} cannot take it: {_reason(parser, log)}: leave this operation "
            "out of the network, or run the bundle with ONNX Runtime"
        )
    return network


def _reason(parser: api.OnnxParser, log: Log) -> str:
    if parser.num_errors == 0:
        return log.first_error()
    error = parser.get_error(0)
    node = f"node '{error.node_name()}' ({error.node_operator()}): " if error.node_operator() else ""
    more = f" (and {parser.num_errors - 1} more)" if parser.num_errors > 1 else ""
    return f"{node}{one_line(error.desc())}{more}"
