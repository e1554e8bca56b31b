"""Our run lengths are those of pycocotools, character by character."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from pycocotools import mask as coco

from serve.answers.rle import class_means, class_runs, compressed_counts

MAPS = hnp.arrays(
    np.uint8, hnp.array_shapes(min_dims=2, max_dims=2, max_side=40), elements=st.sampled_from([0, 1, 2, 7, 255])
)


def counts_of(ids: np.ndarray) -> dict[int, str]:
    runs = class_runs(ids)
    return dict(zip(runs.present.tolist(), compressed_counts(runs), strict=True))


def decoded(counts: dict[int, str], shape: tuple[int, int]) -> np.ndarray:
    ids = np.full(shape, 99, np.uint8)
    for index, text in counts.items():
        ids[coco.decode({"size": list(shape), "counts": text.encode()}) == 1] = index
    return ids


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning:pycocotools")
@settings(deadline=None)
@given(MAPS)
def test_counts_are_those_of_pycocotools_and_give_the_map_back(ids):
    counts = counts_of(ids)
    for index in np.unique(ids).tolist():
        assert counts.pop(index) == coco.encode(np.asfortranarray(ids == index))["counts"].decode()
    assert counts == {}
    np.testing.assert_array_equal(decoded(counts_of(ids), ids.shape), ids)


@settings(deadline=None)
@given(st.lists(st.integers(1, 70_000), min_size=1, max_size=12))
def test_long_and_very_different_runs_take_as_many_characters_as_they_need(lengths):
    column = np.repeat(np.arange(len(lengths), dtype=np.uint8) % 3, lengths)[:, None]
    for index, text in counts_of(column).items():
        assert text == coco.encode(np.asfortranarray(column == index))["counts"].decode()


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (7, 11)])
def test_the_pixels_and_the_mean_of_each_class(shape):
    random = np.random.default_rng(0)
    ids = random.integers(0, 3, shape, np.uint8)
    values = random.integers(0, 256, shape, np.uint8)
    runs = class_runs(ids)
    assert runs.sums(runs.lengths).tolist() == [np.sum(ids == index) for index in runs.present]
    np.testing.assert_allclose(class_means(runs, values), [values[ids == index].mean() for index in runs.present])
