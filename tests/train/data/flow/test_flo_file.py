import struct
from pathlib import Path

import numpy as np
import pytest

from train.data.flow import Flow
from train.data.flow.flo_file import check_flo, read_flo, write_flo
from train.errors import UserError


def some_flow() -> Flow:
    displacement = np.random.default_rng(0).normal(0, 0.3, (7, 11, 2)).astype(np.float32)
    displacement[:, -2:, 0] = 5  # out of the frame
    visible = np.random.default_rng(1).random((7, 11)) < 0.8
    return Flow(displacement, visible)


def test_what_was_written_is_read(tmp_path: Path) -> None:
    flow = some_flow()
    write_flo(tmp_path / "a.flo", flow)
    read = read_flo(tmp_path / "a.flo")
    assert np.array_equal(read.displacement[flow.visible], flow.displacement[flow.visible])
    assert not read.visible[~flow.visible].any()
    assert not read.visible[:, -2:].any()
    assert np.isfinite(read.displacement).all()
    assert np.abs(read.displacement).max() < 10  # nothing is left of what says "unknown"
    assert check_flo(tmp_path / "a.flo") == (7, 11)
    assert [path.name for path in tmp_path.iterdir()] == ["a.flo"]


def test_the_bytes_are_middleburys(tmp_path: Path) -> None:
    path = tmp_path / "a.flo"
    path.write_bytes(struct.pack("<fii", 202021.25, 3, 2) + struct.pack("<12f", *range(10), 2e9, np.nan))
    flow = read_flo(path)
    assert flow.displacement.shape == (2, 3, 2)
    assert flow.displacement[0, 1].tolist() == [2, 3]  # x before y, row by row
    assert flow.displacement[1, 2].tolist() == [0, 0]
    assert not flow.visible[1, 2]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda data: data[:0], "not a .flo file"),
        (lambda data: b"JUNK" + data[4:], "not a .flo file"),
        (lambda data: data[:-5], "do not hold 11 x 7 pixels"),
        (lambda data: data + b"0", "do not hold 11 x 7 pixels"),
        (lambda data: data[:4] + struct.pack("<ii", -1, 7) + data[12:], "announces -1 x 7 pixels"),
    ],
)
def test_what_is_no_flow_is_named(tmp_path: Path, change, reason: str) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "a.flo"
    write_flo(path, some_flow())
    path.write_bytes(change(path.read_bytes()))
    for function in (read_flo, check_flo):
        with pytest.raises(UserError, match=reason) as caught:
            function(path)
        assert str(caught.value).startswith(f"{path}: ")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"nowhere\.flo: cannot be read \(No such file or directory\)"):
        read_flo(tmp_path / "nowhere.flo")
