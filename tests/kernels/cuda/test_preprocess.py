"""Pictures at the network's size: OpenCV's bits, then PyTorch's normalisation."""

import zlib
from pathlib import Path

import numpy as np
import pytest

from kernels.cuda.launch import FORMATS, resize_mode
from tests.kernels.cuda.on_cpu.kernels import Run
from train.data.resize import Size, resize_image

MEAN, STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)
NORMALISATION = np.array([*MEAN, *STD], np.float32).view("V24")[0]
DTYPES = {"u8": np.uint8, "f32": np.float32, "f16": np.float16}
LINEAR_TAP = np.dtype([("first", "i4"), ("second", "i4"), ("weights", "i4", 2)])
AREA_TAP = np.dtype([("first", "i4"), ("count", "i4"), ("weights", "f4", 3)])

GROWING = [((40, 60), (97, 101)), ((1, 1), (3, 4)), ((1, 9), (2, 50)), ((12, 5), (100, 4)), ((5, 30), (4, 77))]
SHRINKING = [((97, 101), (40, 60)), ((50, 3), (1, 1)), ((33, 64), (33, 63)), ((90, 160), (23, 41)), ((49, 5), (1, 5))]
SLIVERS = [((60, 2001), (50, 2000)), ((4001, 20), (4000, 17))]  # shares below 1/1000, which are left out
WHOLE = [((24, 36), (12, 18)), ((24, 36), (8, 9)), ((20, 30), (20, 15)), ((7, 9), (1, 1)), ((6, 5), (6, 5))]
REALISTIC = [((270, 480), (128, 256)), ((135, 240), (128, 256)), ((256, 512), (128, 256))]


def random_image(size: Size) -> np.ndarray:
    seed = zlib.crc32(repr(size).encode())
    return np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)


def taps(run: Run, mode: str, source: int, target: int, is_column: bool) -> np.ndarray:
    table = np.zeros(target, LINEAR_TAP if mode == "linear" else AREA_TAP)
    flag = [int(is_column)] if mode == "linear" else []
    run(f"{mode}_taps", table, source, target, *flag, width=target)
    return table


def preprocess(run: Run, image: np.ndarray, size: Size, form: str = "nhwc_u8", mode: str = "") -> np.ndarray:
    return preprocess_batch(run, image[None], size, form, mode)[0]


def preprocess_batch(run: Run, images: np.ndarray, size: Size, form: str = "nhwc_u8", mode: str = "") -> np.ndarray:
    count, *source = images.shape[:3]
    mode = mode or resize_mode((source[0], source[1]), size)
    layout, kind = form.split("_")
    output = np.zeros((count, *size, 3) if layout == "nhwc" else (count, 3, *size), DTYPES[kind])
    tables = [taps(run, mode, source[axis], size[axis], axis == 1) for axis in (0, 1)] if mode != "box" else []
    arguments = (images, *source, *tables, output, *size, NORMALISATION)
    run(f"preprocess_{mode}_{form}", *arguments, width=size[1], height=size[0], images=count)
    return output


@pytest.mark.parametrize(("source", "target"), GROWING + SHRINKING + SLIVERS + WHOLE + REALISTIC)
def test_every_byte_is_opencvs(run, source, target):
    image = random_image(source)
    np.testing.assert_array_equal(preprocess(run, image, target), resize_image(image, target))


@pytest.mark.parametrize("seed", range(4))
def test_random_sizes_too(run, seed):
    sides = np.random.default_rng(seed).integers(1, 90, (25, 4)).tolist()
    for *source, height, width in sides:
        image = random_image((source[0], source[1]))
        resized = preprocess(run, image, (height, width))
        np.testing.assert_array_equal(
            resized, resize_image(image, (height, width)), err_msg=f"{source} {height, width}"
        )


@pytest.mark.parametrize("target", [(31, 17), (80, 90), (20, 30)])
def test_black_and_white_keep_their_extremes(run, target):
    image = np.where(random_image((40, 60)) > 127, 255, 0).astype(np.uint8)
    np.testing.assert_array_equal(preprocess(run, image, target), resize_image(image, target))


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("target", [(31, 17), (80, 90), (20, 30)])
def test_every_format_is_the_resized_picture_normalised(run, form, target):
    image = random_image((40, 60))
    expected = resize_image(image, target)
    layout, kind = form.split("_")
    if kind != "u8":
        expected = (expected.astype(np.float32) - np.float32(MEAN)) / np.float32(STD)
    if layout == "nchw":
        expected = expected.transpose(2, 0, 1)
    np.testing.assert_array_equal(preprocess(run, image, target, form), expected.astype(DTYPES[kind]))


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("target", [(31, 17), (80, 90), (20, 30)])
def test_a_batch_is_its_pictures(run, form, target):
    images = np.random.default_rng(0).integers(0, 256, (3, 40, 60, 3), dtype=np.uint8)
    expected = np.stack([preprocess(run, image, target, form) for image in images])
    np.testing.assert_array_equal(preprocess_batch(run, images, target, form), expected)


def test_the_three_modes_are_opencvs():
    assert resize_mode((1080, 1920), (540, 960)) == "box"
    assert resize_mode((1080, 1920), (512, 1024)) == "area"
    assert resize_mode((1080, 1920), (1080, 1920)) == "box"
    assert resize_mode((540, 960), (512, 1024)) == "linear"  # one side grows
    assert resize_mode((49, 49), (1, 1)) == "area"  # 1/(1/49) is not 49


@pytest.mark.parametrize(("source", "target"), [(97, 40), (1920, 1024), (49, 1), (7, 7), (1080, 511)])
def test_an_areas_shares_stay_inside_and_add_up(run, source, target):
    for tap in taps(run, "area", source, target, is_column=True):
        head, inner, tail = tap["weights"].astype(float)
        shares = [head, *[inner] * (tap["count"] - 2), tail][: tap["count"]]
        assert 0 <= tap["first"] < tap["first"] + tap["count"] <= source
        assert sum(shares) == pytest.approx(1, abs=2e-3)


def test_offsets_pass_two_gigabytes(run, tmp_path: Path):
    image = np.memmap(tmp_path / "image", np.uint8, "w+", shape=(30_000, 30_000, 3))  # 2.7 GB, a sparse file
    image[26_249:26_251, 26_249:26_251] = 200  # 3.5 · 7500: the centre of the last pixel of 4 x 4, byte 2.36e9
    resized = preprocess(run, image, (4, 4), mode="linear")
    np.testing.assert_array_equal(np.argwhere(resized[..., 0] == 200), [[3, 3]])
