"""Polygons: valid GeoJSON, exact at tolerance 0, near the truth at others."""

import json
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import pytest

from export.manifest import Manifest
from serve.answers.geojson import FeatureCollection, encode_geojson, simplified
from serve.answers.outlines import regions
from serve.segmentation import AnswerOptions, Segmentation

TIMES = 8  # to draw with: OpenCV fills through the middle of pixels, which is then an eighth of a pixel off


def collection(segmentation: Segmentation, manifest: Manifest, tolerance: float) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(encode_geojson(segmentation, manifest, AnswerOptions(tolerance=tolerance))[0])
    return answer


def drawn(answer: dict[str, Any]) -> np.ndarray:
    """What OpenCV fills, each pixel by the value at its middle."""
    canvas = np.full((answer["height"] * TIMES, answer["width"] * TIMES), 255, np.uint8)
    for feature in answer["features"]:
        rings = [np.array(ring) * TIMES for ring in feature["geometry"]["coordinates"]]
        cv2.fillPoly(canvas, rings, feature["properties"]["id"])
    return canvas[TIMES // 2 :: TIMES, TIMES // 2 :: TIMES]


def area(ring: list[list[int]]) -> float:
    x, y = np.array(ring).T
    return float(np.sum(x[:-1] * y[1:] - x[1:] * y[:-1])) / 2


def test_at_tolerance_0_another_program_draws_the_class_map(segmentation, manifest):
    np.testing.assert_array_equal(drawn(collection(segmentation, manifest, 0)), segmentation.ids)


@pytest.mark.parametrize("tolerance", [0, 0.5, 1, 5, 100])
def test_rings_are_closed_and_wound_by_the_right_hand_rule(segmentation, manifest, tolerance):
    answer = collection(segmentation, manifest, tolerance)
    FeatureCollection.model_validate(answer)
    assert len(answer["features"]) == len(regions(segmentation.ids, len(manifest.classes)))
    for feature in answer["features"]:
        exterior, *holes = feature["geometry"]["coordinates"]
        assert area(exterior) > 0
        assert all(area(hole) < 0 for hole in holes)
        for ring in (exterior, *holes):
            assert ring[0] == ring[-1]
            assert len(ring) >= 4


def test_areas_are_exact_at_tolerance_0_and_pixels_are_those_of_the_region(segmentation, manifest):
    for tolerance in (0, 2):
        total = 0
        for feature in collection(segmentation, manifest, tolerance)["features"]:
            properties = feature["properties"]
            assert manifest.classes[properties["id"]] == properties["name"]
            total += properties["pixels"]
            if tolerance == 0:
                assert sum(map(area, feature["geometry"]["coordinates"])) == properties["pixels"]
        assert total == np.sum(segmentation.ids < 4)


@pytest.mark.parametrize("tolerance", [0.5, 1, 3])
def test_no_corner_is_further_away_than_the_tolerance(segmentation, tolerance):
    corners = 0
    for region in regions(segmentation.ids, 4):
        for ring in region.rings:
            fewer = simplified(ring, tolerance)
            corners += len(ring) - len(fewer)
            line = fewer.astype(np.float32)[:, None]
            away = [abs(cv2.pointPolygonTest(line, point, measureDist=True)) for point in ring.astype(float)]
            assert max(away) <= tolerance + 1e-3
    assert corners > 30


def test_a_region_smaller_than_the_tolerance_keeps_its_outline(manifest, segmentation):
    ids = np.full((5, 5), 255, np.uint8)
    ids[2, 1:4] = 2
    answer = collection(replace(segmentation, ids=ids), manifest, 50)
    assert answer["features"][0]["geometry"]["coordinates"] == [[[1, 2], [4, 2], [4, 3], [1, 3], [1, 2]]]
