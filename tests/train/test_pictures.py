import numpy as np

from train.data.palette import IGNORE_INDEX, overlay
from train.pictures import ALPHA, comparison, panels

PALETTE = [(255, 0, 0), (0, 255, 0)]
IMAGE = np.full((40, 60, 3), 100, np.uint8)
LABEL = np.zeros((40, 60), np.uint8)
LABEL[:, 30:] = 1
LABEL[:5] = IGNORE_INDEX


def test_comparison_holds_the_image_and_an_overlay_of_each_mask() -> None:
    picture = comparison(IMAGE, [("label", LABEL), ("prediction", 1 - LABEL.clip(0, 1))], PALETTE)
    height = picture.shape[0]
    assert picture.dtype == np.uint8
    assert picture.shape[1] > 3 * 60
    body = picture[height - 40 :]
    step = (picture.shape[1] - 60) // 2
    assert np.array_equal(body[:, :60], IMAGE)
    assert np.array_equal(body[:, step : step + 60], overlay(IMAGE, LABEL, PALETTE, ALPHA))
    assert (picture[: height - 40, step : step + 60] < 128).any()  # a title is written above


def test_ignored_pixels_show_the_image() -> None:
    shown = panels(IMAGE, [("label", LABEL)], PALETTE)
    assert [panel.title for panel in shown] == ["image", "label"]
    assert (shown[1].pixels[:5] == 100).all()
    assert (shown[1].pixels[5:, :30, 0] > 100).all()
