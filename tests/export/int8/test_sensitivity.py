"""A layer that was made sensitive is found."""

import onnx

from export.int8.layers import Layer
from export.int8.score import Scorer
from export.int8.sensitivity import measure_sensitivity
from export.manifest import Manifest
from export.pictures import Pictures


def test_the_sensitive_layer_comes_first(
    model: onnx.ModelProto, manifest: Manifest, pictures: Pictures, layers: list[Layer], with_int8
) -> None:
    measured = measure_sensitivity(layers, with_int8, Scorer.of(model, manifest, pictures, 6, 1))
    assert next(each.layer.title for each in measured) == "head"
    assert measured[0].loss.agreement > 50 * measured[1].loss.agreement
    assert {each.layer for each in measured} == set(layers)
