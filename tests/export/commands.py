"""The commands of `export`, run in this process."""

import sys
from pathlib import Path
from types import ModuleType

from export import onnx as export_onnx
from export import openvino as export_openvino
from export import quantize as export_quantize
from export import table as export_table
from export import tune as export_tune
from export import verify as export_verify


def export(run: Path, out: Path, *options: str) -> None:
    """``python -m export.onnx RUN --out OUT …``."""
    _main(export_onnx, str(run), "--out", str(out), *options)


def verify(bundle: Path, *options: str) -> None:
    """``python -m export.verify BUNDLE …``."""
    _main(export_verify, str(bundle), *options)


def table(source: Path, *options: str) -> None:
    """``python -m export.table SOURCE …``."""
    _main(export_table, str(source), *options)


def quantize(bundle: Path, *options: str) -> None:
    """``python -m export.quantize BUNDLE …``."""
    _main(export_quantize, str(bundle), *options)


def openvino(bundle: Path, *options: str) -> None:
    """``python -m export.openvino BUNDLE …``."""
    _main(export_openvino, str(bundle), *options)


def tune(bundle: Path, *options: str) -> None:
    """``python -m export.tune BUNDLE …``."""
    _main(export_tune, str(bundle), *options)


def _main(module: ModuleType, *arguments: str) -> None:
    previous, sys.argv = sys.argv, [module.__name__, *arguments]
    try:
        module.main()
    finally:
        sys.argv = previous
