"""From a picture to the graph's input and back."""

import numpy as np
import pytest

from export.manifest import InputSpec
from export.preprocess import postprocess, preprocess

SPEC = InputSpec(height=64, width=96, multiple=32, mean=[0, 0, 0], std=[1, 1, 1])


@pytest.mark.parametrize("shape", [(64, 96), (100, 130), (10, 300)])
def test_the_input_is_a_contiguous_batch_of_one_and_the_answer_has_the_pictures_size(shape):
    batch = preprocess(np.zeros((*shape, 3), np.uint8)[:, ::-1], SPEC)
    assert batch.shape == (1, 64, 96, 3)
    assert batch.dtype == np.uint8
    assert batch.flags.c_contiguous
    assert postprocess(batch[0, ..., 0], shape).shape == shape
