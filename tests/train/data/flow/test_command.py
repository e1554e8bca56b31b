"""``python -m train.data.flow`` as a user calls it."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.conftest import Cli
from train.data.flow.__main__ import main

STREETS = ["--data.streets", '{"val_clips": 2, "frames": 2, "size": [48, 64]}', "--data.neighbour.gap", "2"]


def numbers(cli: Cli, out: Path, *arguments: str) -> dict[str, float]:
    ended = cli(main, [*arguments, "--out", str(out / "new" / "flow.json")])
    assert ended.code == 0, ended.err
    record: dict[str, float] = json.loads((out / "new" / "flow.json").read_text())
    assert f"{record['motion, px']:.4g}" in ended.out
    return record


def test_exact_flow_is_right_and_estimated_flow_is_nearer_than_none(cli: Cli, tmp_path: Path) -> None:
    exact, dis, identity = (
        numbers(cli, tmp_path, *STREETS, "--data.neighbour.provider", name) for name in ("auto", "dis", "identity")
    )
    assert [exact["flow"], dis["flow"], identity["flow"]] == ["exact", "dis", "identity"]
    assert exact["pairs"] == 4
    assert exact["error, px"] == exact["hidden but called visible, share"] == 0
    assert exact["equal labels, warped"] > 0.99 > exact["equal labels, unwarped"]
    assert 0 < dis["error, px"] < identity["error, px"]
    assert dis["equal labels, warped"] > dis["equal labels, unwarped"]
    assert identity["difference of 255, warped"] == pytest.approx(identity["difference of 255, unwarped"])


def test_pictures_show_the_pair_and_what_comes_back(cli: Cli, clips_root: Path, tmp_path: Path) -> None:
    clips = ["--data.layout", "clips", "--data.root", str(clips_root), "--split", "train"]
    numbers(cli, tmp_path, *clips, "--pairs", "1", "--pictures", str(tmp_path / "pictures"))
    [path] = (tmp_path / "pictures").iterdir()
    now, then, back, difference = np.split(np.asarray(Image.open(path)).astype(int), 4, axis=1)
    hidden = (back == (255, 0, 255)).all(axis=2)
    assert 0 < hidden.mean() < 0.6
    assert np.abs(back - now)[~hidden].mean() < 0.3 * np.abs(then - now)[~hidden].mean()
    assert not difference[hidden].any()


def test_unlabelled_clips_have_no_numbers_of_labels(cli: Cli, clips_root: Path, tmp_path: Path) -> None:
    clips = ["--data.layout", "clips", "--data.root", str(clips_root), "--split", "train"]
    record = numbers(cli, tmp_path, *clips)
    assert record["pairs"] == 2
    assert record["flow"] == "dis"
    assert not [name for name in record if "labels" in name or "error" in name]


def test_bad_input_is_said_in_one_line(cli: Cli, folder_root: Path) -> None:
    still = cli(main, ["--data.layout", "folder", "--data.root", str(folder_root)])
    assert (still.code, still.err.count("\n")) == (2, 1)
    assert "folder/val: has no clips, only still images" in still.err
    long = cli(main, ["--data.neighbour.gap", "64"])
    assert (long.code, long.err.count("\n")) == (2, 1)
    assert "data.neighbour.gap: 64: no clip of streets/val is so long: choose a smaller gap" in long.err
