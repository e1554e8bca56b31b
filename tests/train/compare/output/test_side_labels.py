import pytest

from train.compare.output.side_labels import spaced


@pytest.mark.parametrize(
    ("values", "moved"),
    [
        ([1.0, 5.0, 9.0], [1.0, 5.0, 9.0]),
        ([1.0, 1.2, 1.4], [1.0, 2.0, 3.0]),
        ([8.0, 9.8, 9.9], [8.0, 9.0, 10.0]),
        ([-3.0, 12.0], [0.0, 10.0]),
    ],
)
def test_names_are_apart_and_inside(values: list[float], moved: list[float]) -> None:
    assert spaced(values, gap=1.0, low=0.0, high=10.0) == pytest.approx(moved)
