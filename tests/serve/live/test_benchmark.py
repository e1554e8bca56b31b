"""The benchmark of live viewers measures a real server from end to end."""

import json
import subprocess
import sys

from tests.serve.conftest import ROOT


def run(*arguments):
    line = [sys.executable, "-W", "error", "-m", "serve.live.benchmark", *map(str, arguments)]
    return subprocess.run(line, cwd=ROOT, capture_output=True, text=True, timeout=120)


def test_it_prints_a_row_for_each_level_and_writes_each_round(bundle, picture, tmp_path):
    (tmp_path / "frame.png").write_bytes(picture)
    options = ["--viewers", "2", "--rounds", "1", "--seconds", "0.5", "--endurance", "1", "--threads", "1", "--json"]
    done = run(bundle, "--images", tmp_path, *options, tmp_path / "live.json")
    assert done.returncode == 0, done.stderr
    record = json.loads((tmp_path / "live.json").read_text())
    (level,) = record["levels"]
    assert level["viewers"] == 2
    assert level["throughput_ratio"] == level["masks_per_s"] / level["engine_per_s"]
    assert 0 < level["camera_masks_per_s"] <= 1.1 * level["camera_per_s"] < level["masks_per_s"]
    assert 0 < level["server_p50_ms"] < level["glass_p50_ms"] <= level["glass_p95_ms"]
    assert len(record["memory_mib"]["2"]) == 2
    assert "2 viewers for 1 s" in done.stdout


def test_what_cannot_be_measured_is_said(bundle, tmp_path):
    done = run(bundle, "--images", tmp_path)
    assert (done.returncode, done.stderr.splitlines()[-1][:16]) == (2, "error: no images")
    assert run(bundle, "--viewers", "0").returncode == 2
