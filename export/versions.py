"""What a file was made with, for its record and to know whether it would come out the same again (no torch)."""

import hashlib
from importlib import metadata
from pathlib import Path

_RECORDED = ("segdistill", "torch", "onnx", "onnxscript", "onnxslim", "onnxruntime", "onnxruntime-gpu")
_MAKES_GRAPHS = ("graph", "fold", "fp16", "head", "layer_names", "metadata", "pooling")


def versions() -> dict[str, str]:
    """Of the libraries that make and check a graph, those that are installed."""
    found = {}
    for name in _RECORDED:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def code_version() -> str:
    """Hex sha256 of the sources here that make graphs."""
    sources = [Path(__file__).with_name(f"{name}.py").read_bytes() for name in _MAKES_GRAPHS]
    return hashlib.sha256(b"\0".join(sources)).hexdigest()
