"""``python -m serve.stream`` as a process: a file, an RTSP server, devices that are not there."""

import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image

from serve.stream import capture
from serve.stream.__main__ import main
from serve.stream.capture import camera
from tests.serve.conftest import ROOT
from tests.serve.stream.rtsp_server import RtspServer
from tests.serve.video.clips import broken, clip, cut_off, ids, index_in_front
from train.errors import UserError


def start(bundle: Path, *options: str | Path) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "serve.stream", str(bundle), "--threads", "1", *map(str, options)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONWARNINGS": "error"},
    )


def stream(bundle: Path, *options: str | Path) -> tuple[int, str, str]:
    process = start(bundle, *options)
    output, errors = process.communicate(timeout=60)
    assert "Traceback" not in errors
    return process.returncode, output, errors


def fails(monkeypatch: pytest.MonkeyPatch, bundle: Path, *options: str | Path) -> str:
    """The error of a command, in this process."""
    monkeypatch.setattr(sys, "argv", ["serve.stream", *map(str, (bundle, "--threads", "1", *options))])
    with pytest.raises(UserError) as failure:
        main()
    return str(failure.value)


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def times_of(path: Path) -> list[float]:
    with av.open(io.BytesIO(path.read_bytes())) as container:
        return [frame.time for frame in container.decode(video=0)]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "drive.mp4"
    path.write_bytes(clip(9))
    return path


def test_a_file_becomes_a_video_masks_and_lines_at_once(bundle: Path, file: Path, tmp_path: Path) -> None:
    video, masks, rows = tmp_path / "out" / "overlay.mp4", tmp_path / "masks", tmp_path / "rows.jsonl"
    code, output, errors = stream(bundle, "--source", file, "--out", video, masks, rows, "--every", "2")
    assert code == 0, errors
    assert output.startswith("5 frames, ")
    assert times_of(video) == pytest.approx([0, 0.08, 0.16, 0.24, 0.32])
    assert sorted(path.name for path in masks.iterdir()) == [f"{number:06d}.png" for number in (0, 2, 4, 6, 8)]
    mask = np.asarray(Image.open(masks / "000002.png"))
    assert (mask == ids(2, 48, 64)).mean() > 0.95
    *frames, summary = lines(rows)
    assert [frame["frame"] for frame in frames] == [0, 2, 4, 6, 8]
    assert (summary["frames"], summary["broken"]) == (5, 0)
    assert not list(tmp_path.rglob("*.tmp"))


def test_a_broken_frame_is_told_and_the_file_goes_on(bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "broken.mp4").write_bytes(broken(clip(9), 4))
    code, _, errors = stream(bundle, "--source", tmp_path / "broken.mp4", "--out", tmp_path / "rows.jsonl")
    assert code == 0
    assert "cannot be decoded" in errors
    assert lines(tmp_path / "rows.jsonl")[-1]["broken"] >= 1


def test_a_file_that_is_cut_off_leaves_what_came_before(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, video = tmp_path / "cut.mp4", tmp_path / "overlay.mp4"
    source.write_bytes(cut_off(index_in_front(clip(20))))
    assert "the video is cut off after 1" in fails(monkeypatch, bundle, "--source", source, "--out", video)
    assert len(times_of(video)) >= 9


def test_ctrl_c_finishes_the_files(bundle: Path, tmp_path: Path) -> None:
    rows, video = tmp_path / "rows.jsonl", tmp_path / "overlay.mp4"
    with RtspServer(500) as server:
        process = start(bundle, "--source", server.url, "--out", rows, video)
        while not server.clients:
            time.sleep(0.01)
        time.sleep(1)
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=30)
    assert process.returncode == 130, errors
    assert "secret" not in output + errors
    *frames, summary = lines(rows)
    assert summary["frames"] == len(frames) == len(times_of(video)) > 0


def test_a_stream_that_ends_is_opened_again(bundle: Path, tmp_path: Path) -> None:
    with RtspServer(12) as server:
        code, _, errors = stream(
            bundle, "--source", server.url, "--out", tmp_path / "rows.jsonl", "--frames", "14", "--smoothing", "0.5"
        )
        assert server.clients >= 2
    assert code == 0, errors
    assert "no more frames: trying again in 0.5 s" in errors
    assert "there again after" in errors
    *frames, _ = lines(tmp_path / "rows.jsonl")
    assert [frame["time_s"] for frame in frames] == sorted(frame["time_s"] for frame in frames)


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (
            ["--source", "rtsp://me:secret@127.0.0.1:9/x"],
            r"rtsp://127.0.0.1:9/x: cannot be opened: check that it is on",
        ),
        (["--source", "gst:videotestsrc ! appsink"], "was built without GStreamer"),
        (["--source", "camera:front"], "'front' is no number of a camera"),
        (["--source", "https://example.org/a.mp4"], "not read here: give camera[:N], rtsp://"),
        (["--source", "README.md"], "no video that is read here"),
        (["--source", "camera:63"], "there is no /dev/video63 (there: "),
    ],
)
def test_a_source_that_is_not_there_is_said(
    bundle: Path, tmp_path: Path, options: list[str], line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert line in fails(monkeypatch, bundle, *options, "--out", tmp_path / "overlay.mp4")
    assert list(tmp_path.iterdir()) == []


def test_a_failure_is_one_line_without_the_password(bundle: Path, tmp_path: Path) -> None:
    source = "rtsp://me:secret@127.0.0.1:9/x"
    code, _, errors = stream(bundle, "--source", source, "--out", tmp_path / "overlay.mp4")
    assert code == 2
    why = "check that it is on, not in use, and that the address is right"
    assert errors == f"error: rtsp://127.0.0.1:9/x: cannot be opened: {why}\n"


def test_a_camera_that_may_not_be_opened_says_who_may(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "video0").touch()
    monkeypatch.setattr(capture, "_DEVICES", tmp_path)
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may everything
    with pytest.raises(UserError, match=r"no permission for .*/video0: add this user to its group"):
        camera(0).open()


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (["--out", "a.txt"], "give FILE.mp4, FILE.jsonl, or a folder for masks"),
        (["--out", "a.mp4", "a.mp4"], "given twice"),
        (["--out", "/proc/overlay.mp4"], "cannot be written"),
        (["--out", "m", "--classes", "gren"], "did you mean 'green'?"),
        (["--out", "m", "--every", "0"], "--every 0: at least 1"),
        (["--out", "m", "--smoothing", "2"], "--smoothing 2: 0 to 1"),
    ],
)
def test_wrong_options_are_one_line(
    bundle: Path, file: Path, options: list[str], line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert line in fails(monkeypatch, bundle, "--source", file, *options)
