"""Every line of the protocol, as a client sees it on a real server."""

import io
import json

import numpy as np
import pytest
from PIL import Image

from serve.live.stream import MOST_BAD
from serve.timing import STAGES
from tests.serve.waiting import wait_until


def test_the_hello_says_what_the_masks_are(server, watch):
    with watch(server) as viewer:
        assert viewer.socket.subprotocol == "segdistill.v1"
        assert viewer.hello == {
            "type": "hello",
            "protocol": 1,
            "model": "bundle",
            "classes": ["red", "green", "blue"],
            "palette": [[128, 0, 0], [0, 128, 0], [0, 0, 128]],
            "ignore_index": 255,
            "height": 48,
            "width": 64,
            "form": "rle",
            "smoothing": 0.0,
        }


def test_each_frame_is_answered_with_its_mask(server, watch, encode, image):
    with watch(server) as viewer:
        for number, pixels in enumerate([image, image[::-1], image[:, ::-1]]):
            viewer.send(encode(np.ascontiguousarray(pixels)))
            header, ids = viewer.mask()
            np.testing.assert_array_equal(ids, pixels.argmax(-1))
            assert (header["frame"], header["dropped"]) == (number, 0)
            assert list(header["times_ms"]) == sorted(header["times_ms"], key=[*STAGES].index)
            assert set(header["times_ms"]) == set(STAGES)
            assert sum(header["times_ms"].values()) == pytest.approx(header["age_ms"], abs=0.1)
            counts = np.bincount(ids.ravel())
            shares = {
                name: pytest.approx(counts[index] / ids.size, abs=1e-4)
                for index, name in enumerate(["red", "green", "blue"])
            }
            assert header["shares"] == shares
            assert list(header["shares"].values()) == sorted(header["shares"].values(), reverse=True)


def test_the_payload_is_aligned(server, watch, picture):
    with watch(server) as viewer:
        viewer.send(picture)
        message = viewer.socket.recv(20)
    length = int.from_bytes(message[:4], "little")
    header = json.loads(message[4 : 4 + length])
    assert (4 + length) % 4 == 0
    assert len(message) == 4 + length + 5 * header["runs"]


def test_a_mask_may_be_a_png(server, watch, picture, image):
    with watch(server, "?form=png") as viewer:
        assert viewer.hello["form"] == "png"
        viewer.send(picture)
        header, payload = viewer.header()
    with Image.open(io.BytesIO(payload)) as mask:
        assert mask.mode == "P"
        np.testing.assert_array_equal(np.asarray(mask), image.argmax(-1))
    assert "runs" not in header


def test_size_classes_and_model_are_as_in_a_request(server, watch, encode, image):
    large = image.repeat(2, 0).repeat(2, 1)
    with watch(server, "?size=source&classes=green,2&model=bundle") as viewer:
        viewer.send(encode(large))
        _, ids = viewer.mask()
    expected = server.client.post("/segment?classes=green,2", content=encode(large))
    with Image.open(io.BytesIO(expected.content)) as mask:
        np.testing.assert_array_equal(ids, np.asarray(mask))
    assert set(np.unique(ids)) == {1, 2, 255}


def test_smoothing_holds_what_flickers(server, watch, encode):
    still = np.full((48, 64, 3), 100, np.uint8)
    red, green = still + np.array([2, 0, 0], np.uint8), still + np.array([0, 2, 0], np.uint8)
    with watch(server, "?smoothing=0.5") as viewer:
        assert viewer.hello["smoothing"] == 0.5
        seen = []
        for pixels in (red, red, green, red, green, green):
            viewer.send(encode(pixels))
            seen.append(int(viewer.mask()[1][0, 0]))
    assert seen == [0, 0, 0, 0, 0, 1]


def test_a_frame_that_cannot_be_read_is_a_problem_and_the_stream_goes_on(server, watch, picture):
    with watch(server, additional_headers={"X-Request-ID": "a-camera"}) as viewer:
        assert viewer.socket.response.headers["X-Request-ID"] == "a-camera"
        for number, (frame, status, kind) in enumerate(
            [(b"no picture", 415, "unknown-format"), (picture[:200], 422, "damaged-image"), (b"", 422, "damaged-image")]
        ):
            viewer.send(frame)
            problem = viewer.problem()
            assert (problem["type"], problem["frame"], problem["status"]) == ("problem", number, status)
            assert problem["kind"] == f"urn:segdistill:problem:{kind}"
            assert problem["request_id"] == "a-camera"
            assert problem["detail"]
        viewer.send(picture)
        assert viewer.header()[0]["frame"] == 3


def test_too_many_bad_frames_in_a_row_end_it(server, watch, picture):
    with watch(server) as viewer:
        for _ in range(2):  # a good one between them forgives
            for _ in range(MOST_BAD - 1):
                viewer.send(b"bad")
                viewer.problem()
            viewer.send(picture)
            viewer.header()
        for _ in range(MOST_BAD):
            viewer.send(b"bad")
            viewer.problem()
        code, reason = viewer.closed()
    assert (code, reason[:28]) == (1008, f"{MOST_BAD} bad frames in a row, the ")


def test_text_ends_it(server, watch):
    with watch(server) as viewer:
        viewer.socket.send("hello")
        assert viewer.closed()[0] == 1003


def test_the_newest_frame_wins(server, watch, encode):
    """Frames that come faster than they are decoded: some are answered, in their order, the last one among them."""
    random = np.random.default_rng(0)
    frame = encode(random.integers(0, 256, (1500, 2000, 3), dtype=np.uint8))
    with watch(server) as viewer:
        viewer.send(*[frame] * 12)
        headers = []
        while not headers or headers[-1]["frame"] < 11:
            headers.append(viewer.header()[0])
    numbers = [header["frame"] for header in headers]
    assert numbers == sorted(set(numbers))
    assert 0 < headers[-1]["dropped"] == 12 - len(headers)


@pytest.mark.parametrize(
    ("query", "status", "says"),
    [
        ("?smothing=1", 422, "no parameter 'smothing': did you mean 'smoothing'?"),
        ("?smoothing=2", 422, "smoothing"),
        ("?form=jpeg", 422, "form"),
        ("?classes=grene", 422, "did you mean 'green'?"),
        ("?model=other", 404, "no model 'other': there is bundle"),
    ],
)
def test_what_is_asked_wrongly_is_refused_as_a_request_is(server, query, status, says):
    upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
    upgrade["Sec-WebSocket-Key"] = "AAAAAAAAAAAAAAAAAAAAAA=="
    answer = server.client.get(f"/segment/live{query}", headers=upgrade)
    problem = answer.json()
    assert (answer.status_code, answer.headers["Content-Type"]) == (status, "application/problem+json")
    assert says in problem["detail"]
    assert problem["request_id"] == answer.headers["X-Request-ID"]


def test_without_an_upgrade_it_says_what_it_is(server):
    answer = server.client.get("/segment/live")
    assert (answer.status_code, answer.headers["Upgrade"]) == (426, "websocket")


def test_metrics_and_the_log_know_of_viewers(bundle, start, watch, picture):
    running = start(bundle, "--log-format", "json")

    def metric(name):
        lines = running.client.get("/metrics").text.splitlines()
        return sum(float(line.split()[-1]) for line in lines if line.startswith(name))

    with watch(running) as viewer:
        for _ in range(3):
            viewer.send(picture)
            viewer.header()
        viewer.send(b"bad")
        viewer.problem()
        assert metric("segdistill_live_viewers") == 1
        assert metric('segdistill_live_frames_total{model="bundle",outcome="answered"}') == 3
        assert metric('segdistill_live_stage_seconds_count{model="bundle",stage="decode"}') == 3
    wait_until(lambda: metric("segdistill_live_viewers") == 0)
    wait_until(lambda: metric('segdistill_requests_total{model="bundle",status="101"}') == 1)
    assert metric('segdistill_live_frames_total{model="bundle",outcome="failed"}') == 1
    assert metric("segdistill_request_seconds_count") == 0
    code, errors = running.stop()
    assert code == 0
    (line,) = [entry for entry in map(json.loads, errors.splitlines()) if entry.get("path") == "/segment/live"]
    assert (line["status"], line["frames"], line["superseded"], line["closed"]) == (101, 3, 0, 1000)
