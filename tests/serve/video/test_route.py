"""``POST /segment/video`` on a real server."""

import io
import itertools
import json
import time

import numpy as np
import pytest
from PIL import Image

from serve.smoothing import Smoothing
from tests.serve.conftest import ServerProcess
from tests.serve.tiny_bundles import PALETTE
from tests.serve.video.answers import class_map, frames_of, lines, parts
from tests.serve.video.clips import clip, clip_of, ids, turned

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # of pycocotools


def test_a_line_for_each_frame_and_a_summary(server: ServerProcess) -> None:
    *frames, summary = lines(server.client.post("/segment/video", content=clip(7)))
    assert [frame["frame"] for frame in frames] == list(range(7))
    assert [frame["time_s"] for frame in frames] == pytest.approx([0.04 * number for number in range(7)])
    for frame in frames:
        assert (class_map(frame) == ids(frame["frame"], 48, 64)).mean() > 0.95  # of colours at half the resolution
    assert (summary["frames"], summary["broken"]) == (7, 0)
    assert {"decode", "preprocess", "queue", "inference", "postprocess", "encode"} == summary["timings_ms"].keys()


def test_a_form_and_a_raw_body_give_the_same_answer(server: ServerProcess) -> None:
    raw = lines(server.client.post("/segment/video", content=clip(2)))
    form = lines(server.client.post("/segment/video", files={"video": ("drive.mp4", clip(2), "video/mp4")}))
    assert [line.get("classes") for line in raw] == [line.get("classes") for line in form]


def test_parts_are_palette_pngs_with_number_and_time(server: ServerProcess) -> None:
    answer = server.client.post("/segment/video", content=clip(3), headers={"Accept": "multipart/mixed"})
    *frames, summary = parts(answer)
    assert [frame["Segdistill-Frame"] for frame in frames] == ["0", "1", "2"]
    assert [float(frame["Segdistill-Time"]) for frame in frames] == pytest.approx([0, 0.04, 0.08])
    for number, frame in enumerate(frames):
        assert frame.get_content_type() == "image/png"
        picture = Image.open(io.BytesIO(frame.get_payload(decode=True)))
        assert (np.asarray(picture) == ids(number, 48, 64)).mean() > 0.95
    assert json.loads(summary.get_content())["frames"] == 3


def test_an_overlay_comes_as_jpegs(server: ServerProcess) -> None:
    answer = server.client.post("/segment/video?overlay=true&every=2", content=clip(5))
    *frames, summary = parts(answer)
    assert [frame["Segdistill-Frame"] for frame in frames] == ["0", "2", "4"]
    assert {frame.get_content_type() for frame in frames} == {"image/jpeg"}
    assert json.loads(summary.get_content())["frames"] == 3


def test_an_annotated_video_has_the_times_and_the_colours(server: ServerProcess) -> None:
    times_ms = [0, 40, 50, 400, 1000]
    video = clip(5, times_ms=times_ms)
    answer = server.client.post("/segment/video", content=video, headers={"Accept": "video/mp4"})
    assert answer.headers["content-type"] == "video/mp4"
    annotated, plain = frames_of(answer.content), frames_of(video)
    assert [time_s for time_s, _ in annotated] == pytest.approx([ms / 1000 for ms in times_ms], abs=1e-3)
    for (_, image), (_, before) in zip(annotated, plain, strict=True):
        expected = before / 2 + np.array(PALETTE)[before.argmax(-1)] / 2
        assert np.abs(image - expected).mean() < 12


def test_classes_size_and_rotation(server: ServerProcess) -> None:
    parameters = {"classes": "red", "size": "network"}
    upright, _ = lines(server.client.post("/segment/video", params=parameters, content=turned(clip(1, (96, 128)))))
    assert (upright["height"], upright["width"]) == (48, 64)
    assert {entry["id"] for entry in upright["classes"]} == {0, 255}
    full, _ = lines(server.client.post("/segment/video", content=turned(clip(1, (96, 128)))))
    assert (full["height"], full["width"]) == (128, 96)
    assert full["notes"] == ["turned upright by its display matrix"]
    assert (class_map(full) == np.rot90(ids(0, 96, 128), -1)).mean() > 0.95


def test_smoothing_is_that_of_one_stream(server: ServerProcess) -> None:
    grey = np.full((48, 64, 3), 120, np.uint8)
    flicker = [grey + np.array([8, 0, 0] if number % 2 else [0, 4, 0], np.uint8) for number in range(8)]
    video = clip_of(flicker)
    *plain, _ = lines(server.client.post("/segment/video", content=video))
    *smoothed, _ = lines(server.client.post("/segment/video?smoothing=1", content=video))
    smoothing = Smoothing(1)
    for before, after, (_, image) in zip(plain, smoothed, frames_of(video), strict=True):
        np.testing.assert_array_equal(class_map(after), smoothing.of_ids(class_map(before), image))
    assert len({frame["classes"][0]["id"] for frame in plain}) == 2
    assert len({frame["classes"][0]["id"] for frame in smoothed}) == 1


def test_the_description_names_the_forms_and_shows_them(server: ServerProcess) -> None:
    described = server.client.get("/openapi.json").json()["paths"]["/segment/video"]["post"]
    assert {parameter["name"] for parameter in described["parameters"]} == {
        "model", "classes", "size", "overlay", "every", "smoothing", "accept",
    }  # fmt: skip
    content = described["responses"]["200"]["content"]
    assert list(content) == ["application/x-ndjson", "multipart/mixed", "video/mp4"]
    example = next(iter(content["application/x-ndjson"]["examples"].values()))["value"]
    kinds = [set(json.loads(line)) for line in example.splitlines()]
    assert "classes" in kinds[0]
    assert "problem" in kinds[1]
    assert "frames" in kinds[2]


def test_server_timing_is_that_of_the_first_frame(server: ServerProcess) -> None:
    timing = server.client.post("/segment/video", content=clip(2)).headers["server-timing"]
    assert [entry.split(";")[0] for entry in timing.split(", ")] == [
        "decode", "preprocess", "queue", "inference", "postprocess", "encode",
    ]  # fmt: skip


def test_frames_leave_while_the_video_is_worked_on(server: ServerProcess) -> None:
    with server.client.stream("POST", "/segment/video", content=clip(200, (96, 128))) as answer:
        arrivals = [(time.monotonic(), line) for line in itertools.islice(answer.iter_lines(), 201)]
    seconds = json.loads(arrivals[-1][1])["seconds"]
    assert arrivals[-1][0] - arrivals[0][0] > seconds / 2
