"""What became of the layers of a network: each one's kind, precision and the ONNX nodes in it (no torch)."""

import json
import re
from collections import Counter
from typing import Any

from export.tensorrt import api
from export.tensorrt.flavour import TensorRt
from export.tensorrt.log import Log

# One line of the build log for each layer, with the fields of the inspector.
_LAYER = re.compile(
    r"^Name: (?P<Name>.*?), LayerType: (?P<LayerType>.*?), Inputs: \[(?P<Inputs>.*)\], Constants: \[.*\], "
    r"Outputs: \[(?P<Outputs>.*)\], TacticName: (?P<TacticName>.*?), StreamId: (?P<StreamId>\d+).*?, "
    r"Metadata: (?P<Metadata>.*)$",
    re.MULTILINE,
)
# TensorRT 10 says "Row major linear FP32 format", TensorRT 11 and the log say "Datatype: Float".
_DATA_TYPE = re.compile(r"\b(float|fp32|half|fp16|bfloat16|bf16|uint8|int8|int32|int64|bool)\b", re.IGNORECASE)
_NAMES = {"float": "fp32", "half": "fp16", "bfloat16": "bf16"}


def inspected_layers(trt: TensorRt, engine: api.ICudaEngine) -> dict[str, Any]:
    """The engine inspector's own JSON: ``{"Layers": [...], ...}``."""
    inspector = engine.create_engine_inspector()
    information: dict[str, Any] = json.loads(inspector.get_engine_information(trt.LayerInformationFormat.JSON))
    return information


def logged_layers(log: Log) -> dict[str, Any]:
    """The same of a plan that cannot be loaded here, as far as the build said it in its log."""
    return {"Layers": [match.groupdict() for message in log.messages for match in _LAYER.finditer(message)]}


def count_precisions(information: dict[str, Any]) -> dict[str, int]:
    """Number of layers by the data type of their first output, most frequent first; layers without one left out."""
    counted: Counter[str] = Counter()
    for layer in information["Layers"]:
        found = _DATA_TYPE.search(json.dumps(layer["Outputs"])) if isinstance(layer, dict) else None
        if found:
            data_type = found[1].lower()
            counted[_NAMES.get(data_type, data_type)] += 1
    return dict(counted.most_common())
