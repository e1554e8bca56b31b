import os
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest

from tests.train.data.moving_clips import moving_frames
from train.data.dataset import FramePlace
from train.data.flow.cache import FlowCache
from train.data.flow.dis import DisEstimator
from train.data.flow.estimated import EstimatedFlow
from train.data.flow.pair import FramePair
from train.errors import UserError

NOW, THEN, LATER = moving_frames(3)


class Counting:
    """Counts how often the real estimator is asked."""

    def __init__(self, preset: str = "ultrafast") -> None:
        self._estimate = DisEstimator(preset)
        self.name = self._estimate.name
        self.calls = 0

    def __call__(self, now: np.ndarray, then: np.ndarray) -> np.ndarray:
        self.calls += 1
        return self._estimate(now, then)


def estimated(folder: Path, tolerance: float = 0.7, preset: str = "ultrafast") -> tuple[EstimatedFlow, Counting]:
    estimate = Counting(preset)
    return EstimatedFlow(estimate, tolerance, FlowCache.open(folder)), estimate


def pair(now: np.ndarray = NOW, then: np.ndarray = THEN) -> FramePair:
    return FramePair(now, then, "film_000000", FramePlace(0, 0), 1)


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def test_the_second_time_the_same_bits_come_from_the_disk(tmp_path: Path) -> None:
    provider, estimate = estimated(tmp_path / "cache")
    first = provider(pair())
    provider, again = estimated(tmp_path / "cache")
    second = provider(pair())
    assert (estimate.calls, again.calls) == (2, 0)
    assert first.displacement.tobytes() == second.displacement.tobytes()
    assert first.visible.tobytes() == second.visible.tobytes()
    assert second.displacement.dtype == np.float32
    assert second.visible.dtype == np.bool_


def test_another_frame_order_or_setting_is_another_flow(tmp_path: Path) -> None:
    estimated(tmp_path)[0](pair())
    changed = NOW.copy()
    changed[0, 0, 0] ^= 1
    for frames in ((THEN, NOW), (NOW, LATER), (changed, THEN)):
        provider, estimate = estimated(tmp_path)
        provider(pair(*frames))
        assert estimate.calls == 2
    for settings in ({"tolerance": 0.5}, {"preset": "fast"}):
        provider, estimate = estimated(tmp_path, **settings)
        provider(pair())
        assert estimate.calls == 2


@pytest.mark.parametrize(
    "damage", [lambda data: data[:0], lambda data: data[: len(data) // 2], lambda data: flip(data)]
)
def test_a_damaged_file_is_computed_anew(tmp_path: Path, damage) -> None:  # type: ignore[no-untyped-def]
    provider, _ = estimated(tmp_path)
    first = provider(pair())
    [path] = files(tmp_path)
    path.write_bytes(damage(path.read_bytes()))
    provider, estimate = estimated(tmp_path)
    assert np.array_equal(provider(pair()).displacement, first.displacement)
    assert estimate.calls == 2
    provider, estimate = estimated(tmp_path)
    provider(pair())
    assert estimate.calls == 0  # it has been mended


def flip(data: bytes) -> bytes:
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 255]) + data[middle + 1 :]


def test_several_processes_write_at_once(tmp_path: Path) -> None:
    with ProcessPoolExecutor(4, mp_context=get_context("fork")) as pool:
        sums = list(pool.map(_compute, [tmp_path] * 12))
    assert len(set(sums)) == 1
    assert [path.suffix for path in files(tmp_path)] == [".npz"]  # nothing half-written is left


def test_what_a_killed_process_left_is_cleared(tmp_path: Path) -> None:
    estimated(tmp_path)[0](pair())
    [whole] = files(tmp_path)
    abandoned, in_work = (whole.with_suffix(f".{number}.tmp") for number in (1, 2))
    for path in (abandoned, in_work):
        path.write_bytes(b"half")
    os.utime(abandoned, (0, 0))
    FlowCache.open(tmp_path)
    assert files(tmp_path) == sorted([whole, in_work])


def _compute(folder: Path) -> float:
    return float(estimated(folder)[0](pair()).displacement.sum())


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"data\.neighbour\.cache: .*file: cannot be written \(File exists\)"):
        FlowCache.open(tmp_path / "file")
    with pytest.raises(UserError, match=r"cannot be written \(Not a directory\): choose another folder"):
        FlowCache.open(tmp_path / "file" / "below")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become a user who may not write")
def test_a_folder_without_permission_is_named(tmp_path: Path) -> None:
    (tmp_path / "locked").mkdir(mode=0o555)
    tmp_path.chmod(0o755)
    code = f"""
import os, sys
sys.path.insert(0, {str(Path.cwd())!r})
from pathlib import Path
from train.data.flow.cache import FlowCache
from train.errors import UserError
os.chdir("/")
os.setuid(65534)
try:
    FlowCache.open(Path({str(tmp_path / "locked")!r}))
except UserError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "cannot be written (Permission denied)" in done.stdout


def test_when_the_disk_is_full_flow_is_computed_each_time(tmp_path: Path) -> None:
    provider, estimate = estimated(tmp_path / "cache")
    (tmp_path / "cache").rmdir()  # as good as full: nothing can be written any more
    (tmp_path / "cache").write_text("")
    first, second = provider(pair()), provider(pair())
    assert estimate.calls == 4
    assert np.array_equal(first.displacement, second.displacement)
