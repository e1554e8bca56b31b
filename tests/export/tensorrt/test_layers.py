"""Layers are counted by precision in what each TensorRT says of them.

The forms of TensorRT 10 and 11 are those of their documentation
(https://docs.nvidia.com/deeplearning/tensorrt/latest/inference-library/engine-tools.html).
"""

from export.tensorrt.layers import count_precisions


def test_tensorrt_10() -> None:
    half = {"Name": "x", "Format/Datatype": "Channel major FP16 format where channel % 8 == 0"}
    single = {"Name": "x", "Format/Datatype": "Row major linear FP32"}
    integer = {"Name": "x", "Format/Datatype": "Thirty-two wide channel vectorized row major Int8 format"}
    layers = [{"Name": "a", "Outputs": [half, single]}, {"Name": "b", "Outputs": [half]}, {"Outputs": [integer]}]
    assert count_precisions({"Layers": layers, "Bindings": ["image"]}) == {"fp16": 2, "int8": 1}


def test_tensorrt_11() -> None:
    layers = [{"Outputs": [{"Name": "x", "Datatype": name}]} for name in ("Float", "Half", "Float", "UInt8", "Int8")]
    assert count_precisions({"Layers": layers}) == {"fp32": 2, "fp16": 1, "uint8": 1, "int8": 1}


def test_layers_without_outputs_and_layers_of_which_only_the_name_is_known() -> None:
    assert count_precisions({"Layers": [{"Name": "wait", "Outputs": []}, "name only"]}) == {}
