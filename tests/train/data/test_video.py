"""Frames of real video files by number, and what is said of broken ones."""

import multiprocessing
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.train.data.moving_clips import moving_frames, write_video
from tests.train.data.mp4_boxes import make_sound, set_durations, turn
from train.data.video import VideoFile
from train.errors import UserError

REAL = Path(__file__).parents[4] / "shared" / "data" / "video"
CARS = REAL / "intel_car-detection.mp4"

FRAMES = moving_frames(24)

Damage = Callable[[bytes], bytes]


@pytest.fixture(scope="module", params=["film.avi MJPG", "film.mp4 mp4v", "film.mkv XVID"])
def video(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> VideoFile:
    name, codec = request.param.split()
    return VideoFile(write_video(tmp_path_factory.mktemp("video") / name, FRAMES, codec))


def test_frames_come_by_number_in_any_order(video: VideoFile) -> None:
    assert len(video) == 24
    assert video.frames_per_s == 10
    assert video.frame_name(7) == "000007"
    for number in (0, 1, 2, 23, 5, 4, 6, 20, 3):
        frame = video.read(number)
        errors = [np.abs(frame.astype(int) - other).mean() for other in FRAMES]
        assert int(np.argmin(errors)) == number
        assert errors[number] < 12  # what the codec loses


def test_the_colours_are_rgb(tmp_path: Path) -> None:
    red = np.full((64, 96, 3), (220, 30, 10), np.uint8)
    frame = VideoFile(write_video(tmp_path / "red.avi", [red] * 3)).read(1)
    assert np.abs(frame.astype(int) - red).max() < 12


def test_a_forked_process_reads_on_its_own(video: VideoFile) -> None:
    here = video.read(9)
    context = multiprocessing.get_context("fork")
    frames: multiprocessing.Queue[np.ndarray] = context.Queue()
    process = context.Process(target=lambda: [frames.put(video.read(number)) for number in (9, 3, 9)])
    process.start()
    there = [frames.get(timeout=30) for _ in range(3)]
    process.join()
    assert np.array_equal(there[0], here)
    assert np.array_equal(there[2], here)
    assert np.array_equal(video.read(10), VideoFile(video.path).read(10))


def number_of(frame: np.ndarray) -> int:
    return int(np.argmin([np.abs(frame.astype(int) - other).mean() for other in FRAMES]))


def test_frames_of_a_variable_rate_come_by_number_in_any_order(tmp_path: Path) -> None:
    path = write_video(tmp_path / "phone.mp4", FRAMES, "mp4v")
    set_durations(path, [2] * 8 + [9, 1, 7] + [1] * 10 + [30, 2, 2])
    video = VideoFile(path)
    assert len(video) == 24
    assert video.frames_per_s == pytest.approx(23 / (0.05 * (2 * 8 + 17 + 10 + 32)))
    for number in (0, 1, 23, 8, 9, 10, 7, 12, 22, 20, 21, 5):
        assert number_of(video.read(number)) == number


def test_what_was_filmed_upright_is_shown_upright(tmp_path: Path) -> None:
    path = write_video(tmp_path / "phone.mp4", FRAMES, "mp4v")
    turn(path)
    frame = VideoFile(path).read(7)
    assert frame.shape == (96, 64, 3)
    assert number_of(np.rot90(frame)) == 7


def test_of_a_video_that_ends_early_the_frames_that_are_there_can_be_had(tmp_path: Path) -> None:
    path = write_video(tmp_path / "film.avi", FRAMES)
    path.write_bytes(cut(path.read_bytes()))
    video = VideoFile(path, whole=False)
    assert number_of(video.read(5)) == 5
    with pytest.raises(UserError, match="frame 20 of 24 cannot be decoded"):
        video.read(20)


def test_a_file_without_a_video_stream_is_named(tmp_path: Path) -> None:
    path = write_video(tmp_path / "voice.mp4", FRAMES, "mp4v")
    make_sound(path)
    with pytest.raises(UserError, match=r"voice.mp4: cannot be opened as a video: replace or remove it"):
        VideoFile(path)


@pytest.mark.skipif(not CARS.is_file(), reason="the videos are not in ../shared/data/video")
def test_seeking_in_a_real_video_gives_the_frames_of_playing_it() -> None:
    video = VideoFile(CARS)
    assert (len(video), video.frames_per_s) == (377, 12.5)
    capture, played = cv2.VideoCapture(str(CARS)), {}
    for number in range(60):
        played[number] = cv2.cvtColor(capture.read()[1], cv2.COLOR_BGR2RGB)
    for number in (59, 3, 30, 31, 29, 45):
        assert np.array_equal(video.read(number), played[number])


def cut(data: bytes) -> bytes:
    return data[: len(data) * 2 // 3]


@pytest.mark.parametrize(
    ("name", "damage", "reason"),
    [
        ("film.mp4", lambda data: data[:0], "cannot be opened as a video: replace or remove it"),
        ("film.mp4", lambda data: data[::-1], "cannot be opened as a video: replace or remove it"),
        ("film.avi", cut, "ends early or is damaged: it announces 24 frames, but the last cannot be decoded"),
    ],
)
def test_what_cannot_be_used_is_named_in_one_line(tmp_path: Path, name: str, damage: Damage, reason: str) -> None:
    path = write_video(tmp_path / name, FRAMES, "MJPG" if name.endswith("avi") else "mp4v")
    path.write_bytes(damage(path.read_bytes()))
    code = f"from train.data.video import VideoFile; from pathlib import Path; VideoFile(Path({str(path)!r}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    lines = done.stderr.splitlines()
    assert lines[-1].startswith(f"train.errors.UserError: {path}: {reason}")
    assert lines[0].startswith("Traceback")  # the error's own: nothing from the libraries stands above it


def test_a_broken_frame_is_named_and_others_are_still_read(tmp_path: Path) -> None:
    path = write_video(tmp_path / "film.avi", FRAMES)
    data = bytearray(path.read_bytes())
    starts = [index for index in range(len(data)) if data[index : index + 3] == b"\xff\xd8\xff"]
    assert len(starts) == 24  # each frame of MJPG is a JPEG
    data[starts[3] : starts[3] + 400] = bytes(400)
    path.write_bytes(data)
    video, whole = VideoFile(path), VideoFile(write_video(tmp_path / "whole.avi", FRAMES))
    for _ in range(2):
        with pytest.raises(UserError, match="frame 3 of 24 cannot be decoded: replace or remove the video"):
            video.read(3)
        for number in (0, 2, 22):
            assert np.array_equal(video.read(number), whole.read(number))


@pytest.mark.skipif(not CARS.is_file(), reason="the videos are not in ../shared/data/video")
def test_after_damage_no_frame_is_taken_for_another(tmp_path: Path) -> None:
    data = bytearray(CARS.read_bytes())
    for start in (700_000, 1_000_000, 1_300_000):
        data[start : start + 3000] = np.random.default_rng(start).bytes(3000)
    path = tmp_path / "damaged.mp4"
    path.write_bytes(data)
    damaged, whole, broken = VideoFile(path), VideoFile(CARS), 0
    for number in (20, 100, 110, 150, 220, 300):
        try:
            frame = damaged.read(number)
        except UserError:
            broken += 1
        else:
            assert np.array_equal(frame, whole.read(number))
    assert 0 < broken < 6
