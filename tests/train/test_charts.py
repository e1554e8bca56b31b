import io

import numpy as np
import pytest
from PIL import Image

from train.charts import confusion_chart, loss_chart, score_chart

STEPS = list(range(1, 60))


def pixels(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))


NARROW, WIDE, ZERO = [2.0 / step for step in STEPS], [1e6 / step**4 for step in STEPS], [0.0] * len(STEPS)


@pytest.mark.parametrize("values", [NARROW, WIDE, ZERO])
def test_losses_of_any_range_and_name_are_drawn(values: list[float]) -> None:
    curves = {"$_odd^name": (STEPS, values), "_hidden": (STEPS[:1], values[:1])}
    picture = pixels(loss_chart(curves, (STEPS, [0.1] * len(STEPS))))
    assert picture.shape == (720, 1040, 3)
    assert (picture != 255).any(axis=2).mean() > 0.01


def test_one_evaluation_is_enough_for_a_chart() -> None:
    assert pixels(score_chart({"mIoU": ([5], [0.0]), "mAcc": ([5], [1.0])})).shape == (720, 1040, 3)


@pytest.mark.parametrize("classes", [2, 11, 45])
def test_confusion_matrix_of_any_number_of_classes(classes: int) -> None:
    counts = np.eye(classes, dtype=np.int64)
    counts[0] = 0  # a class that no pixel is labelled with
    picture = pixels(confusion_chart(counts, [f"class_{index}$" for index in range(classes)]))
    assert picture.shape[0] == picture.shape[1]
    dark = (picture.sum(axis=2) < 200) & (picture[..., 2] > picture[..., 0] + 40)
    assert dark.any()  # the full cells of the diagonal
