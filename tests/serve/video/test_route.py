"""``POST /segment/video`` on a real server."""

import contextlib
import email
import email.policy
import io
import itertools
import json
import signal
import socket
import threading
import time
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import av
import httpx
import numpy as np
import pytest
from PIL import Image
from pycocotools.mask import decode

from serve.smoothing import Smoothing
from tests.serve.conftest import ServerProcess
from tests.serve.tiny_bundles import PALETTE
from tests.serve.video.clips import (
    broken,
    clip,
    clip_of,
    cut_off,
    eight_k,
    ids,
    index_in_front,
    sound_only,
    turned,
    without_frames,
)

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # of pycocotools

LIMITS = "--max-video-bytes 200000 --max-videos 1 --max-video-frames 400 --upload-timeout-s 0.5"


@pytest.fixture(scope="module")
def narrow_server(bundle: Path) -> Iterator[ServerProcess]:
    running = ServerProcess(bundle, *LIMITS.split())
    yield running
    code, errors = running.stop()
    assert code == 0
    assert "Traceback" not in errors


def lines(answer: httpx.Response) -> list[dict[str, Any]]:
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/x-ndjson"
    return [json.loads(line) for line in answer.text.splitlines()]


def class_map(line: dict[str, Any]) -> np.ndarray:
    found = np.full((line["height"], line["width"]), 255, np.uint8)
    for entry in line["classes"]:
        found[decode(entry["mask"]) == 1] = entry["id"]
    return found


def parts(answer: httpx.Response) -> list[EmailMessage]:
    head = f"Content-Type: {answer.headers['content-type']}\r\n\r\n".encode()
    message = email.message_from_bytes(head + answer.content, policy=email.policy.default)
    return list(message.iter_parts())  # type: ignore[arg-type]


def frames_of(data: bytes) -> list[tuple[float, np.ndarray]]:
    with av.open(io.BytesIO(data)) as container:
        return [(frame.time, frame.to_ndarray(format="rgb24")) for frame in container.decode(video=0)]


def problem(answer: httpx.Response) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    assert answer.json()["request_id"] == answer.headers["x-request-id"]
    return answer.status_code, answer.json()["type"].rpartition(":")[2]


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


def test_a_broken_frame_is_told_and_the_video_goes_on(server: ServerProcess) -> None:
    *frames, summary = lines(server.client.post("/segment/video", content=broken(clip(9), 4)))
    told = [frame for frame in frames if "problem" in frame]
    assert told[0]["problem"]["type"] == "urn:segdistill:problem:damaged-video"
    assert summary["broken"] == len(told) < 3
    assert "classes" in frames[-1]
    answer = server.client.post("/segment/video", content=broken(clip(9), 4), headers={"Accept": "video/mp4"})
    assert len(frames_of(answer.content)) == 9 - len(told)


def test_a_broken_first_frame_is_no_broken_video(server: ServerProcess) -> None:
    *frames, _ = lines(server.client.post("/segment/video", content=broken(clip(9), 0)))
    assert "problem" in frames[0]
    assert "classes" in frames[-1]


def test_a_video_that_is_cut_off_ends_with_the_problem(server: ServerProcess) -> None:
    video = cut_off(index_in_front(clip(20)))
    *frames, last = lines(server.client.post("/segment/video", content=video))
    assert len(frames) >= 10
    assert (last["type"], last["status"]) == ("urn:segdistill:problem:damaged-video", 422)
    assert "cut off" in last["detail"]
    answer = server.client.post("/segment/video", content=video, headers={"Accept": "multipart/mixed"})
    assert parts(answer)[-1].get_content_type() == "application/problem+json"
    with pytest.raises(httpx.RemoteProtocolError):  # an MP4 cannot say it, so the connection does
        server.client.post("/segment/video", content=video, headers={"Accept": "video/mp4"})


REFUSED = {
    "no video": (b"#EXTM3U\nfile:///etc/passwd", 415, "unknown-format"),
    "sound only": (sound_only(), 415, "unknown-format"),
    "odd codec": (clip(1, container="matroska", codec="ffv1"), 415, "unknown-format"),
    "8K": (eight_k(), 413, "video-too-large"),
    "no frames": (without_frames(), 422, "damaged-video"),
    "cut off in its header": (clip()[:900], 422, "damaged-video"),
}


@pytest.mark.parametrize(("data", "status", "kind"), REFUSED.values(), ids=REFUSED)
@pytest.mark.parametrize("accept", ["application/x-ndjson", "video/mp4"])
def test_what_is_wrong_from_the_beginning_is_said_by_the_status(
    server: ServerProcess, data: bytes, status: int, kind: str, accept: str
) -> None:
    answer = server.client.post("/segment/video", content=data, headers={"Accept": accept})
    assert problem(answer) == (status, kind)


@pytest.mark.parametrize(
    ("query", "line"),
    [
        ("evry=2", "no parameter 'evry': did you mean 'every'?"),
        ("every=0", "query every: Input should be greater than or equal to 1"),
        ("smoothing=2", "query smoothing: Input should be less than or equal to 1"),
        ("classes=gren", "did you mean 'green'?"),
        ("confidence=true", "no parameter 'confidence'"),
    ],
)
def test_wrong_parameters_are_named(server: ServerProcess, query: str, line: str) -> None:
    answer = server.client.post(f"/segment/video?{query}", content=clip(1))
    assert problem(answer) == (422, "invalid-parameter")
    assert line in answer.json()["detail"]


def test_forms_that_cannot_be_given(server: ServerProcess) -> None:
    assert server.client.post("/segment/video?model=other", content=clip(1)).status_code == 404
    png = server.client.post("/segment/video", content=clip(1), headers={"Accept": "image/png"})
    assert png.status_code == 406
    assert "application/x-ndjson, multipart/mixed, video/mp4" in png.json()["detail"]
    assert server.client.post("/segment/video", files={"film": ("a.mp4", clip(1))}).status_code == 422
    assert server.client.post("/segment/video", content=b"").status_code == 400
    assert server.client.get("/segment/video").status_code == 405


def test_a_body_is_bounded_while_it_arrives(narrow_server: ServerProcess) -> None:
    sent = 0

    def endless() -> Iterator[bytes]:
        nonlocal sent
        while sent < 10_000_000:
            sent += 50_000
            yield bytes(50_000)

    answer = narrow_server.client.post("/segment/video", content=endless())
    assert problem(answer) == (413, "body-too-large")
    assert "--max-video-bytes" in answer.json()["detail"]


class SlowClient:
    """A client that has sent its video and reads nothing of the answer."""

    def __init__(self, server: ServerProcess, video: bytes, announced: int | None = None) -> None:
        url = httpx.URL(server.url)
        self.connection = socket.create_connection((url.host, url.port), timeout=20)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        length = len(video) if announced is None else announced
        head = f"POST /segment/video HTTP/1.1\r\nHost: x\r\nAccept: multipart/mixed\r\nContent-Length: {length}"
        self.connection.sendall(f"{head}\r\n\r\n".encode() + video)

    def __enter__(self) -> "SlowClient":
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()


def answered(server: ServerProcess) -> int:
    text = server.client.get("/metrics").text
    line = next(line for line in text.splitlines() if line.startswith("segdistill_batch_images_count"))
    return int(float(line.split()[-1]))


def long_clip() -> bytes:
    return clip(300, (96, 128))


def test_a_client_that_leaves_ends_the_work_and_gives_its_place_back(narrow_server: ServerProcess) -> None:
    before = answered(narrow_server)
    with SlowClient(narrow_server, long_clip()) as client:
        assert client.connection.recv(100).startswith(b"HTTP/1.1 200")
        full = narrow_server.client.post("/segment/video", content=clip(1))
        assert problem(full) == (503, "overloaded")
        assert "Retry-After" in full.headers
        image = np.zeros((48, 64, 3), np.uint8)
        file = io.BytesIO()
        Image.fromarray(image).save(file, "PNG")
        assert narrow_server.client.post("/segment", content=file.getvalue()).status_code == 200  # others go on
    for _ in range(100):
        if narrow_server.client.post("/segment/video", content=clip(1)).status_code == 200:
            break
        time.sleep(0.05)
    else:
        pytest.fail("the place was not given back")
    assert answered(narrow_server) - before < 250


def test_a_body_that_comes_slowly_gives_its_place_to_another(narrow_server: ServerProcess) -> None:
    with SlowClient(narrow_server, b"\0\0\0\x18ftyp", announced=1000) as client:
        time.sleep(0.7)
        assert narrow_server.client.post("/segment/video", content=clip(1)).status_code == 200
        assert client.connection.recv(100).startswith(b"HTTP/1.1 503")


def test_too_many_frames_are_said_in_the_last_line(narrow_server: ServerProcess) -> None:
    video = index_in_front(clip(401, (16, 16)))
    *frames, last = lines(narrow_server.client.post("/segment/video?every=100", content=video))
    assert [frame["frame"] for frame in frames] == [0, 100, 200, 300, 400][: len(frames)]
    assert last["type"] == "urn:segdistill:problem:video-too-large"


def test_the_deadline_breaks_a_video_off(bundle: Path) -> None:
    server = ServerProcess(bundle, "--video-deadline-s", "0.1")
    *frames, last = lines(server.client.post("/segment/video", content=clip(300, (240, 320))))
    code, errors = server.stop()
    assert 0 < len(frames) < 300
    assert last["type"] == "urn:segdistill:problem:deadline-exceeded"
    assert code == 0
    assert f"a video was broken off after {len(frames)} frames" in errors


def test_a_running_video_is_finished_when_the_server_ends(bundle: Path) -> None:
    server = ServerProcess(bundle)
    answers: list[httpx.Response] = []
    video = clip(150, (96, 128))
    asking = threading.Thread(target=lambda: answers.append(httpx.post(f"{server.url}/segment/video", content=video)))
    asking.start()
    while not answered(server):
        time.sleep(0.01)
    server.process.send_signal(signal.SIGTERM)
    asking.join(30)
    assert lines(answers[0])[-1]["frames"] == 150
    assert server.stop()[0] == 0


def test_a_video_that_takes_too_long_for_the_end_is_broken_off_with_a_reason(bundle: Path) -> None:
    server = ServerProcess(bundle, "--upload-timeout-s", "0.1", "--deadline-s", "0.1", "--drain-s", "0")
    with server.client.stream("POST", "/segment/video", content=clip(300, (480, 640))) as answer:
        rows = answer.iter_lines()
        next(rows)
        server.process.send_signal(signal.SIGTERM)
        *_, last = rows
    assert json.loads(last)["type"] == "urn:segdistill:problem:not-ready"
    assert "the server ends, and this video takes too long for it" in last
    assert server.stop()[0] == 0


@pytest.mark.slow
def test_memory_stays_flat(bundle: Path) -> None:
    server = ServerProcess(bundle)
    videos = [clip(30, (240, 320)), broken(clip(30, (240, 320)), 4), cut_off(index_in_front(clip(30, (240, 320))))]
    sizes = []
    for number in range(120):
        header = {"Accept": ("application/x-ndjson", "multipart/mixed", "video/mp4")[number % 3]}
        with contextlib.suppress(httpx.RemoteProtocolError):
            server.client.post("/segment/video", content=videos[number // 3 % 3], headers=header)
        sizes.append(int(Path(f"/proc/{server.process.pid}/statm").read_text().split()[1]) * 4096)
    assert server.stop()[0] == 0
    assert max(sizes[-30:]) - max(sizes[30:60]) < 16 * 2**20


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
