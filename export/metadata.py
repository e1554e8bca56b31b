"""What a model file says of itself, without the manifest: ONNX's ``metadata_props`` (no torch).

All values are text; lists and objects are JSON. Read in Python with
``session.get_modelmeta().custom_metadata_map``.
"""

import json
from collections.abc import Mapping

import onnx

from export.manifest import Manifest


def describe(model: onnx.ModelProto, manifest: Manifest, versions: Mapping[str, str]) -> None:
    """Write, in place: classes, palette, input, where the weights came from, and what made the file."""
    spec = manifest.input
    properties = {
        "classes": json.dumps(manifest.classes),
        "palette": json.dumps(manifest.palette),
        "ignore_index": str(manifest.ignore_index),
        "height": str(spec.height),
        "width": str(spec.width),
        "multiple": str(spec.multiple),
        "mean": json.dumps(spec.mean),
        "std": json.dumps(spec.std),
        "resize": spec.resize,
        "student": json.dumps(manifest.student["model"]),
        "weights_sha256": str(manifest.student["weights_sha256"]),
        "licence_note": manifest.licence_note,
        "versions": json.dumps(dict(versions)),
    }
    onnx.helper.set_model_props(model, properties)
    model.producer_name = "segdistill"
    model.producer_version = versions.get("segdistill", "")
