import cv2
import numpy as np

from tests.train.data.moving_clips import moving_frames
from train.data.likeness import distinct, found_in, mark


def compressed(image: np.ndarray, scale: float = 0.5) -> np.ndarray:
    small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return cv2.imdecode(cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, 60])[1], cv2.IMREAD_COLOR)


def test_what_stands_still_is_kept_once() -> None:
    one, other = moving_frames(1, seed=1)[0], moving_frames(1, seed=2)[0]
    noise = np.random.default_rng(0).integers(-3, 4, one.shape)
    noisy = np.clip(one + noise, 0, 255).astype(np.uint8)
    assert distinct([mark(image) for image in (one, noisy, other, one, other)], 2.0) == [0, 2]


def test_what_moves_is_kept() -> None:
    marks = [mark(frame) for frame in moving_frames(5)]
    assert distinct(marks, 2.0) == [0, 1, 2, 3, 4]


def test_at_zero_copies_of_the_same_pixels_alone_are_dropped() -> None:
    one = moving_frames(1)[0]
    nearly = one.copy()
    nearly[0, 0] ^= 1
    assert distinct([mark(one), mark(nearly), mark(one.copy())], 0) == [0, 1]


def test_a_smaller_and_compressed_copy_is_found_among_others() -> None:
    images = moving_frames(6, size=(240, 320))
    copies = [mark(compressed(images[number])) for number in (4, 1)]
    others = [mark(image) for image in moving_frames(3, size=(240, 320), seed=9)]
    assert found_in([*others, *copies], [mark(image) for image in images], 3.0) == {3: 4, 4: 1}
    assert found_in(copies, [], 3.0) == {}
    assert found_in([], copies, 3.0) == {}


def test_an_image_is_compared_with_the_last_ones_kept_alone() -> None:
    """Else a long video would be compared with itself as a whole, frame by frame."""
    images = [np.full((24, 32, 3), level, np.uint8) for level in range(256)]
    images = [np.roll(image, 0) for image in images] * 3
    patterned = []
    for number, image in enumerate(images):
        patterned.append(image.copy())
        patterned[-1][:, : 1 + number // 256] //= 2
    assert len(distinct([mark(image) for image in patterned], 0.3)) > 512
