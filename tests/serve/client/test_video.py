"""A video asked frame by frame, by both clients."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from serve.client import AsyncClient, Client, NoAnswer, ServerProblem, VideoFrame
from serve.client.parts import Part, PartReader
from tests.serve.conftest import ServerProcess
from tests.serve.video.clips import broken, clip, cut_off, ids, index_in_front
from train.errors import UserError

Frames = Callable[..., list[VideoFrame]]


def of_client(url: str, source: Any, **keywords: Any) -> list[VideoFrame]:
    with Client(url) as client:
        return list(client.video(source, **keywords))


def of_async_client(url: str, source: Any, **keywords: Any) -> list[VideoFrame]:
    async def ask() -> list[VideoFrame]:
        async with AsyncClient(url) as client:
            return [frame async for frame in client.video(source, **keywords)]

    return asyncio.run(ask())


@pytest.fixture(params=[of_client, of_async_client], ids=["sync", "async"])
def frames(request: pytest.FixtureRequest) -> Frames:
    return request.param


def test_frames_are_numpy_with_number_and_time(server: ServerProcess, tmp_path: Path, frames: Frames) -> None:
    (tmp_path / "drive.mp4").write_bytes(clip(7))
    found = frames(server.url, tmp_path / "drive.mp4", every=3)
    assert [(frame.number, frame.time_s) for frame in found] == [(0, 0.0), (3, 0.12), (6, 0.24)]
    for frame in found:
        assert frame.ids is not None
        assert frame.ids.dtype == np.uint8
        assert (frame.ids == ids(frame.number, 48, 64)).mean() > 0.95
        assert frame.model.classes == ["red", "green", "blue"]


def test_parameters_reach_the_server(server: ServerProcess, frames: Frames) -> None:
    (frame,) = frames(server.url, clip(1, (96, 128)), size="network", classes=["red"], smoothing=0.5)
    assert frame.ids is not None
    assert frame.ids.shape == (48, 64)
    assert set(np.unique(frame.ids)) == {0, 255}


def test_a_broken_frame_has_a_problem_and_no_ids(server: ServerProcess, frames: Frames) -> None:
    found = frames(server.url, broken(clip(9), 4))
    (bad,) = [frame for frame in found if frame.ids is None]
    assert bad.problem is not None
    assert "cannot be decoded" in bad.problem
    assert len(found) == 9


def test_a_video_that_is_cut_off_raises_after_its_frames(server: ServerProcess) -> None:
    with Client(server.url) as client:
        frames = client.video(cut_off(index_in_front(clip(20))))
        assert [next(frames).number for _ in range(10)] == list(range(10))
        with pytest.raises(ServerProblem, match="cut off after") as failure:
            list(frames)
    assert failure.value.type == "urn:segdistill:problem:damaged-video"
    assert failure.value.request_id is not None


def test_what_is_no_video_is_a_problem(server: ServerProcess, tmp_path: Path, frames: Frames) -> None:
    with pytest.raises(ServerProblem, match="no video that is read here"):
        frames(server.url, b"#EXTM3U")
    with pytest.raises(UserError, match=r"absent.mp4: cannot be read"):
        frames(server.url, tmp_path / "absent.mp4")


def answer_in_parts(*bodies: bytes, close: bool = True) -> bytes:
    parts = [
        b"--b\r\nContent-Length: %d\r\nN: %d\r\n\r\n%b\r\n" % (len(body), n, body) for n, body in enumerate(bodies)
    ]
    return b"".join(parts) + (b"--b--\r\n" if close else b"")


def test_parts_come_out_whole_however_they_come_in() -> None:
    bodies = [b"", b"--b--\r\n", bytes(range(256)) * 3]
    data = answer_in_parts(*bodies)
    for size in (1, 7, 100, len(data)):
        reader = PartReader("multipart/mixed; boundary=b")
        parts: list[Part] = []
        for start in range(0, len(data), size):
            parts.extend(reader.feed(data[start : start + size]))
        assert [part.body for part in parts] == bodies
        assert [part.headers["n"] for part in parts] == ["0", "1", "2"]
        assert reader.complete


@pytest.mark.parametrize("kind", ["text/html", "multipart/mixed", "multipart/form-data; boundary=b"])
def test_another_kind_of_answer_is_seen(kind: str) -> None:
    with pytest.raises(ValueError, match=kind):
        PartReader(kind)


@pytest.mark.parametrize("data", [b"x" * 20_000, b"<html>\r\n\r\n", b"--b\r\nContent-Length: x\r\n\r\n"])
def test_what_are_no_parts_are_seen(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"head|delimiter|literal"):
        list(PartReader("multipart/mixed; boundary=b").feed(data))


def test_an_answer_that_breaks_off_is_no_answer(server: ServerProcess) -> None:
    from serve.client.video import FrameReader

    with Client(server.url) as client:
        model = client.model()
    response = httpx.Response(200, headers={"Content-Type": "multipart/mixed; boundary=b"})
    reader = FrameReader(response, model)
    summary = answer_in_parts(json.dumps({"frames": 1}).encode(), close=False)
    summary = summary.replace(b"N: 0", b"Content-Type: application/json")
    assert list(reader.feed(summary)) == []
    with pytest.raises(NoAnswer, match="broke off"):
        reader.check_end(httpx.URL(server.url))
