"""A street scene of 1024 x 2048 pixels with 19 classes, made of what a bundle says of its own samples."""

import cv2
import numpy as np
from numpy.typing import NDArray

from export.bundle import Bundle
from export.manifest import InputSpec, Manifest
from serve.engines.choose import open_engine
from serve.segmentation import Segmentation
from serve.timing import StageTimes
from train.data.image import decode_image
from train.data.palette import default_palette
from train.data.resize import resize_image
from train.errors import UserError

HEIGHT, WIDTH, CLASSES = 1024, 2048, 19

STRIDE = 8
"""Of the logits."""


def street(bundle: Bundle) -> Segmentation:
    """Two samples side by side; the classes of the second one are moved up, so that there are 19 together.

    The network sees each at 1024 x 1024 pixels: outlines are as fine as they come.

    Raises:
        UserError: the bundle has less than two samples, or takes no images of that size.
    """
    files = sorted((bundle.root / "samples").glob("*"))[:2]
    if len(files) < 2 or not bundle.manifest.input.dynamic_size:
        raise UserError(f"{bundle.root}: give a bundle with two samples or more that takes images of any size")
    images = [resize_image(decode_image(file.read_bytes()).pixels, (HEIGHT, WIDTH // 2)) for file in files]
    engine = open_engine(bundle, "onnxruntime").engine
    first, second = (engine.infer(image[None]).ids[0] for image in images)
    engine.close()
    moved = np.minimum(second + max(0, CLASSES - len(bundle.manifest.classes)), CLASSES - 1).astype(np.uint8)
    ids, image = np.hstack([np.minimum(first, CLASSES - 1), moved]), np.hstack(images)
    confidence = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)  # as smooth as a street
    return Segmentation(image, ids, np.asarray(confidence, np.uint8), [], StageTimes())


def manifest() -> Manifest:
    """With 19 classes."""
    return Manifest(
        name="street",
        created="",
        classes=[f"class {index}" for index in range(CLASSES)],
        palette=default_palette(CLASSES),
        input=InputSpec(height=HEIGHT, width=WIDTH, mean=[0, 0, 0], std=[1, 1, 1]),
        files={},
        student={},
    )


def logits(ids: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Low-resolution logits ``(19, H / 8, W / 8)`` whose upsampled argmax is near ``ids`` ``(H, W)``."""
    size = (ids.shape[1] // STRIDE, ids.shape[0] // STRIDE)
    planes = [
        cv2.resize((ids == index).astype(np.float32), size, interpolation=cv2.INTER_AREA) for index in range(CLASSES)
    ]
    return np.asarray(planes, np.float32)
