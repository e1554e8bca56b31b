"""Images that break while a run is under way."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import write_camvid
from train import distill
from train.broken import BrokenSamples
from train.errors import UserError
from train.run_directory import RunDirectory

Options = Callable[..., list[str]]


def test_each_is_counted_once_and_more_than_a_percent_is_too_many() -> None:
    broken = BrokenSamples(200)
    assert broken.add(("a: truncated", "a: truncated")) == ["a: truncated"]
    assert broken.add(("a: truncated", "b: truncated")) == ["b: truncated"]
    assert len(broken) == 2
    with pytest.raises(UserError, match=r"a: truncated; 3 of 200 samples are broken, more than 1%"):
        broken.add(("c: truncated",))


def test_a_resumed_run_goes_on_counting() -> None:
    broken = BrokenSamples(200, known=["a: truncated", "b: truncated"])
    assert broken.add(("b: truncated",)) == []
    with pytest.raises(UserError, match="3 of 200"):
        broken.add(("c: truncated",))


@pytest.mark.parametrize(("images", "code"), [(100, 0), (20, 2)])
def test_one_broken_image_is_skipped_counted_and_reported(  # type: ignore[no-untyped-def]
    options: Options, tmp_path: Path, cli, images: int, code: int
) -> None:
    root = write_camvid(tmp_path / "camvid", images)
    damaged = root / "train" / "3.png"
    damaged.write_bytes(damaged.read_bytes()[:200])
    steps = images // 10
    ended = cli(distill.main, options("a", tmp_path, data__root=root, loop__steps=steps, loop__batch_size=10))
    assert ended.code == code
    if code:
        assert ended.err.count("\n") == 1
        assert str(damaged) in ended.err
        assert f"1 of {images} samples are broken" in ended.err
        return
    assert "1 broken samples were skipped" in ended.out
    (reported,) = [line["broken"] for line in RunDirectory(tmp_path / "a").records() if "broken" in line]
    assert str(damaged) in reported
