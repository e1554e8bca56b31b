import numpy as np

from train.data.flow.field import inside, warp, warp_ids


def displacement(x: float, y: float, size: tuple[int, int] = (5, 8)) -> np.ndarray:
    return np.broadcast_to(np.array([x, y], np.float32), (*size, 2)).copy()


def test_ids_come_back_from_where_they_went() -> None:
    before = np.random.default_rng(0).integers(0, 9, (5, 8), np.uint8)
    after = np.roll(before, (1, 2), axis=(0, 1))  # down by 1 and right by 2
    flow = displacement(2, 1)
    kept = inside(flow)
    assert np.array_equal(kept, np.pad(np.ones((4, 6), bool), ((0, 1), (0, 2))))
    assert np.array_equal(warp_ids(after, flow)[kept], before[kept])


def test_no_id_appears_that_was_not_there() -> None:
    ids = np.random.default_rng(0).choice(np.array([0, 200, 255], np.uint8), (5, 8))
    assert set(np.unique(warp_ids(ids, displacement(0.4, -1.3)))) <= {0, 200, 255}


def test_values_are_read_between_pixels() -> None:
    ramp = np.tile(np.arange(8, dtype=np.float32), (5, 1))
    flow = displacement(0.5, 0)
    assert np.allclose(warp(ramp, flow)[inside(flow)], (ramp + 0.5)[inside(flow)])
