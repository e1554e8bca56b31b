"""The ways that are timed beside each other do the same."""

import io
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace

import cv2
import numpy as np
import pytest
from PIL import Image

from serve.answers.benchmark.cases import Case, cases
from serve.segmentation import Segmentation

Ways = dict[str, list[Case]]


@pytest.fixture(scope="module")
def ways(sure: Segmentation) -> Ways:
    height, width = sure.ids.shape
    ids = np.where(sure.ids == 255, 18, sure.ids)[: height // 8 * 8, : width // 8 * 8].astype(np.uint8)
    inner = np.s_[: ids.shape[0], : ids.shape[1]]
    smooth = cv2.GaussianBlur(sure.image, (0, 0), 10)[inner]
    street = replace(sure, ids=ids, image=np.ascontiguousarray(smooth), confidence=sure.confidence[inner])
    found: Ways = defaultdict(list)
    for case in cases(street):
        found[case.task].append(case)
    return found


def pixels(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)))


def test_every_task_with_rivals_has_one_reference(ways):
    for of_task in ways.values():
        has_rivals = any(not case.way.startswith("serve") for case in of_task)
        assert sum(case.is_reference for case in of_task) == has_rivals
        assert of_task[0].way.startswith("serve")


@pytest.mark.parametrize(
    ("task", "read"),
    [
        ("class ids of logits at stride 8", np.asarray),
        ("class ids of half the height and width", np.asarray),
        ("image/png", pixels),
        ("run lengths", bytes),
        ("overlay as PNG", pixels),
    ],
)
def test_ways_give_the_same(ways, task, read: Callable[[object], object]):
    ours, *others = (read(case.run()) for case in ways[task])
    assert others
    for other in others:
        np.testing.assert_array_equal(other, ours)


@pytest.mark.parametrize("task", ["overlay as JPEG", "overlay as WebP"])
def test_lossy_ways_give_nearly_the_same(ways, task):
    ours, other = (pixels(case.run()).astype(int) for case in ways[task])
    assert np.abs(ours - other).mean() < 12
