"""An image's bytes to pixels and class ids to a PNG, as most programs do it: OpenCV in, Pillow out."""

import io

import cv2
import numpy as np
from PIL import Image


def decode(data: bytes) -> np.ndarray:
    """RGB ``(H, W, 3)``; `ValueError` if it is no image."""
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)
    if pixels is None:
        raise ValueError("not an image")
    return pixels


def fit(pixels: np.ndarray, height: int, width: int) -> np.ndarray:
    """RGB at the network's size."""
    if pixels.shape[:2] == (height, width):
        return pixels
    shrinks = height <= pixels.shape[0] and width <= pixels.shape[1]
    return cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)


def class_map(ids: np.ndarray, height: int, width: int, palette: list[int]) -> bytes:
    """Class ids at the picture's own size as a palette PNG at level 1."""
    if ids.shape != (height, width):
        ids = cv2.resize(ids, (width, height), interpolation=cv2.INTER_NEAREST_EXACT)
    picture = Image.fromarray(ids, "L")
    picture.putpalette(palette)
    file = io.BytesIO()
    picture.save(file, "PNG", compress_level=1)
    return file.getvalue()
