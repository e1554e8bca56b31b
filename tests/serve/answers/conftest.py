"""A segmentation that was not made by a network, and the manifest that names its classes."""

import numpy as np
import pytest

from export.manifest import InputSpec, Manifest
from serve.segmentation import Segmentation
from serve.timing import StageTimes
from train.data.palette import default_palette

HEIGHT, WIDTH = 60, 90


@pytest.fixture(scope="session")
def manifest() -> Manifest:
    return Manifest(
        name="test",
        created="2026-01-01T00:00:00Z",
        classes=["sky", "road", "car", "tree"],
        palette=default_palette(4),
        input=InputSpec(height=48, width=64, mean=[0, 0, 0], std=[1, 1, 1]),
        files={},
        student={"name": "none"},
    )


@pytest.fixture(scope="session")
def segmentation() -> Segmentation:
    """Round blobs of three of the four classes and of ignored pixels; two notes; no confidence."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    ids = np.where(y > 35, 1, 0).astype(np.uint8)
    ids[(x - 30) ** 2 + (y - 30) ** 2 < 200] = 3
    ids[(x - 30) ** 2 + (y - 30) ** 2 < 40] = 0
    ids[(x - 70) ** 2 + (y - 45) ** 2 < 60] = 255
    image = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    return Segmentation(image, ids, None, ["rotated", "converted from greyscale"], StageTimes(decode=1.5, inference=2))


@pytest.fixture(scope="session")
def sure(segmentation: Segmentation) -> Segmentation:
    """The same with a confidence."""
    confidence = np.random.default_rng(1).integers(0, 256, segmentation.ids.shape, dtype=np.uint8)
    return Segmentation(segmentation.image, segmentation.ids, confidence, [], StageTimes())
