"""What a video may cost a server, and how it ends."""

import contextlib
import io
import json
import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image

from tests.serve.conftest import ServerProcess
from tests.serve.video.answers import lines, problem
from tests.serve.video.clips import broken, clip, cut_off, index_in_front

LIMITS = "--max-video-bytes 200000 --max-videos 1 --max-video-frames 400 --upload-timeout-s 0.5"


@pytest.fixture(scope="module")
def narrow_server(bundle: Path) -> Iterator[ServerProcess]:
    running = ServerProcess(bundle, *LIMITS.split())
    yield running
    code, errors = running.stop()
    assert code == 0
    assert "Traceback" not in errors


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
