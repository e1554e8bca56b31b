"""Ranges cover what the calibration images make of each layer's input."""

from pathlib import Path

import numpy as np
import pytest

from export.int8.images import choose_images
from export.int8.layers import Layer
from export.int8.ranges import measure_ranges
from export.manifest import InputSpec
from tests.export.int8.conftest import photograph


def limit(ranges, layer: Layer) -> float:
    return max(abs(float(np.asarray(end).item())) for end in ranges[layer.tensor].range_value)


def test_minmax_is_the_largest_value_there_was(graph: Path, layers: list[Layer], spec: InputSpec, folder: Path) -> None:
    ranges = measure_ranges(graph, layers, spec, choose_images(folder, 8, 0), "minmax", 100.0)
    largest = max(np.abs(photograph(seed) - 127.0).max() for seed in range(8))  # what the stem reads
    assert limit(ranges, layers[0]) == largest


def test_percentile_cuts_off_the_rest(graph: Path, layers: list[Layer], spec: InputSpec, folder: Path) -> None:
    ranges = measure_ranges(graph, layers, spec, choose_images(folder, 8, 0), "percentile", 90.0)
    values = np.abs(np.concatenate([photograph(seed).ravel() for seed in range(8)]) - 127.0)
    assert limit(ranges, layers[0]) == pytest.approx(np.percentile(values, 90.0), abs=1.0)


def test_entropy_lies_within_minmax(graph: Path, layers: list[Layer], spec: InputSpec, folder: Path) -> None:
    images = choose_images(folder, 2, 0)
    widest = measure_ranges(graph, layers, spec, images, "minmax", 100.0)
    ranges = measure_ranges(graph, layers[1:2], spec, images, "entropy", 100.0)
    assert 0 < limit(ranges, layers[1]) <= 1.01 * limit(widest, layers[1])


def test_nothing_is_left_beside_the_graph(
    graph: Path, layers: list[Layer], spec: InputSpec, folder: Path, capsys
) -> None:
    before = sorted(graph.parent.iterdir())
    measure_ranges(graph, layers, spec, choose_images(folder, 2, 0), "percentile", 99.9)
    assert sorted(graph.parent.iterdir()) == before
    assert capsys.readouterr().out == ""
