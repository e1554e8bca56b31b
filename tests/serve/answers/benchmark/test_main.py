"""``python -m serve.answers.benchmark``."""

import json

import cv2
import numpy as np
import pytest

from serve.answers.benchmark.__main__ import main


@pytest.mark.slow
def test_the_table_and_the_json_have_every_way(cli, make_bundle, tmp_path, encode):
    root = make_bundle(tmp_path / "bundle")
    (root / "samples").mkdir()
    for seed in range(2):
        noise = np.random.default_rng(seed).integers(0, 256, (96, 128, 3), dtype=np.uint8)
        (root / "samples" / f"{seed}.png").write_bytes(encode(cv2.GaussianBlur(noise, (0, 0), 12)))
    ended = cli(main, [str(root), "--samples", "1", "--json", str(tmp_path / "rows.json")])
    assert ended.code == 0, ended.err
    rows = json.loads((tmp_path / "rows.json").read_text())
    assert {row["task"] for row in rows} >= {"image/png", "application/json", "polygons", "run lengths"}
    assert all(row["cpu_ms"] > 0 for row in rows)
    assert {row["ratio"] for row in rows if row["way"] == "pycocotools"} == {1.0}
    assert "pycocotools" in ended.out


def test_a_bundle_without_samples_is_refused(cli, bundle):
    ended = cli(main, [str(bundle)])
    assert ended.code == 2
    assert "two samples or more" in ended.err


def test_no_rounds_are_refused(cli, bundle):
    ended = cli(main, [str(bundle), "--samples", "0"])
    assert (ended.code, ended.err) == (2, "error: --samples 0: at least 1\n")
