"""The range of each activation over the calibration images, by ONNX Runtime's calibrators."""

import io
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, create_calibrator
from onnxruntime.quantization.calibrate import TensorsData

from export.int8.entropy import entropy_cut
from export.int8.images import CalibrationImage
from export.int8.layers import WEIGHTED, Layer
from export.manifest import InputSpec
from train.progress import progress

Method = Literal["minmax", "entropy", "percentile"]
METHODS: tuple[str, ...] = get_args(Method)

_CALIBRATORS = {
    "minmax": CalibrationMethod.MinMax,
    "entropy": CalibrationMethod.Percentile,  # collects absolute values
    "percentile": CalibrationMethod.Percentile,
}
_ENTROPY_BINS = 4096


def measure_ranges(
    graph: Path,
    layers: Sequence[Layer],
    spec: InputSpec,
    images: Sequence[CalibrationImage],
    method: Method,
    percentile: float,
) -> Any:
    """``TensorsData``: the smallest and largest value of what each layer reads.

    Args:
        graph: the fp32 graph.
        layers: of `find_layers`.
        method: ``minmax`` takes the extremes; ``entropy`` cuts off where least information is lost (`entropy_cut`);
            ``percentile`` cuts off the rest.
        percentile: of the absolute values, 0..100; only for ``percentile``.

    Raises:
        UserError: an image cannot be read, or has one colour.
    """
    with tempfile.TemporaryDirectory() as folder:
        calibrator = _calibrator(graph, Path(folder), method, percentile)
        if method != "minmax":  # histograms take time, and only what layers read gets a scale
            calibrator.tensors_to_calibrate &= {layer.tensor for layer in layers}
        for image in progress(images, "calibrate", len(images)):
            reader = _OneImage(spec.name, image.read(spec))
            with redirect_stdout(io.StringIO()):  # it prints a line an image
                calibrator.collect_data(reader)  # one at a time: all at once would not fit in memory
        if method == "entropy":
            return _entropy_ranges(calibrator.collector.histogram_dict)
        with redirect_stdout(io.StringIO()):
            return calibrator.compute_data()


def _calibrator(graph: Path, folder: Path, method: Method, percentile: float) -> Any:
    """It puts files of its own beside the graph it is given, which is a copy in ``folder`` therefore."""
    copy = folder / graph.name
    copy.write_bytes(graph.read_bytes())
    return create_calibrator(
        str(copy),
        list(WEIGHTED),
        augmented_model_path=str(folder / "augmented.onnx"),
        calibrate_method=_CALIBRATORS[method],
        providers=["CPUExecutionProvider"],
        extra_options={
            "symmetric": True,
            "percentile": percentile,
            **({"num_bins": _ENTROPY_BINS} if method == "entropy" else {}),
        },
    )


def _entropy_ranges(histograms: dict[str, Any]) -> Any:
    """From counts and edges of absolute values, by tensor."""
    ranges = {}
    for name, (counts, edges, *_) in progress(histograms.items(), "entropy", len(histograms)):
        limit = np.float32(edges[entropy_cut(counts)])
        ranges[name] = (-limit, limit)
    return TensorsData(CalibrationMethod.MinMax, ranges)


class _OneImage(CalibrationDataReader):  # type: ignore[misc]
    def __init__(self, name: str, image: NDArray[np.uint8]) -> None:
        self._inputs: Iterator[dict[str, NDArray[np.uint8]]] = iter([{name: image}])

    def get_next(self) -> dict[str, NDArray[np.uint8]] | None:
        return next(self._inputs, None)
