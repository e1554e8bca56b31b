"""POST /segment on a real server: every form of the answer holds the right class map."""

import io

import numpy as np
from PIL import Image

PALETTE = [(128, 0, 0), (0, 128, 0), (0, 0, 128)]


def png(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def pixels_of(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)))


def test_png_pixel_values_are_the_class_ids(server, image):
    answer = server.client.post("/segment", content=png(image))
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "image/png"
    picture = Image.open(io.BytesIO(answer.content))
    assert picture.mode == "P"
    np.testing.assert_array_equal(np.asarray(picture), image.argmax(-1))
    np.testing.assert_array_equal(np.asarray(picture.convert("RGB")), np.array(PALETTE)[image.argmax(-1)])
