"""What both peers know of a bundle: its graph, its size, its palette. They use nothing else of the project."""

import json
from dataclasses import dataclass
from pathlib import Path

import onnxruntime


@dataclass(frozen=True)
class Bundle:
    graph: Path
    height: int
    width: int
    palette: list[int]

    @classmethod
    def read(cls, root: Path) -> "Bundle":
        manifest = json.loads((root / "manifest.json").read_text(encoding="utf-8"))
        colours = [value for colour in manifest["palette"] for value in colour]
        size = manifest["input"]
        return cls(root / manifest["files"]["onnx"]["path"], size["height"], size["width"], colours)

    def session(self, threads: int) -> onnxruntime.InferenceSession:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        return onnxruntime.InferenceSession(self.graph, options, providers=["CPUExecutionProvider"])
