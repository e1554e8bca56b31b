"""``POST /segment/video`` with what it cannot work on, wholly or in part."""

import httpx
import pytest

from tests.serve.conftest import ServerProcess
from tests.serve.video.answers import frames_of, lines, parts, problem
from tests.serve.video.clips import broken, clip, cut_off, eight_k, index_in_front, sound_only, without_frames


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
