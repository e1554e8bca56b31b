"""Viewers that are hostile, broken, slow or too many; and the end of the server while they watch."""

import base64
import contextlib
import json
import socket
import struct
import threading
import time
from pathlib import Path

import httpx
import numpy as np
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from export.bundle import load_bundle, save_manifest
from tests.serve.waiting import wait_until

KEY = "a-key-of-sixteen-characters"
LIMITS = ["--max-live", "3", "--live-idle-s", "1", "--max-upload-bytes", "100000", "--log-format", "json"]


@pytest.fixture(scope="module")
def guarded(bundle, server_process):
    running = server_process(bundle, *LIMITS)
    yield running
    code, errors = running.stop()
    assert code == 0
    assert "Traceback" not in errors, errors[-3000:]


def refusal(server, watch, query="", **options):
    with pytest.raises(InvalidStatus) as caught, watch(server, query, **options):
        pass
    return caught.value.response.status_code, json.loads(caught.value.response.body)


def viewers_of(server):
    lines = server.client.get("/metrics").text.splitlines()
    return int(next(float(line.split()[-1]) for line in lines if line.startswith("segdistill_live_viewers")))


def test_giant_frames_end_it(guarded, watch, picture):
    with watch(guarded) as viewer:
        with contextlib.suppress(ConnectionClosed):
            viewer.send(b"x" * 10_000_000)
        assert viewer.closed()[0] == 1009
    with watch(guarded) as viewer:
        viewer.send(picture)
        viewer.header()


def test_a_message_of_endless_pieces_ends_it(guarded, watch):
    with watch(guarded) as viewer:
        with contextlib.suppress(ConnectionClosed):
            viewer.socket.send(b"" for _ in range(100_000))
        assert viewer.closed()[0] == 1009


def test_silence_ends_it_and_half_a_frame_is_silence(guarded, watch):
    with watch(guarded) as viewer:
        begin = time.monotonic()
        assert viewer.closed() == (1000, "no frame for 1 s")
        assert 0.9 < time.monotonic() - begin < 5
    with watch(guarded) as viewer:
        viewer.socket.socket.sendall(b"\x82\xfe\x10\x00mask")  # of 4096 bytes none follows
        assert viewer.closed()[0] == 1000


@pytest.mark.parametrize("junk", [b"\x83\x80mask", b"\x02\x80mask\x82\x80mask", b"\xff" * 40, b"\x82\x05hello"])
def test_what_is_no_websocket_ends_it(guarded, watch, junk):
    with watch(guarded) as viewer:
        viewer.socket.socket.sendall(junk)
        assert viewer.closed()[0] == 1002


def test_who_vanishes_leaves_nothing_behind(guarded, watch, picture):
    for _ in range(20):
        with contextlib.suppress(ConnectionClosed), watch(guarded) as viewer:
            viewer.send(picture, picture)
            viewer.socket.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            viewer.socket.socket.close()
    wait_until(lambda: viewers_of(guarded) == 0)


def test_one_viewer_too_many_is_503(guarded, watch):
    with contextlib.ExitStack() as stack:
        for _ in range(3):
            stack.enter_context(watch(guarded))
        status, problem = refusal(guarded, watch)
    assert (status, problem["type"]) == (503, "urn:segdistill:problem:overloaded")
    assert problem["detail"] == "3 live viewers are connected, the limit: try again"
    wait_until(lambda: viewers_of(guarded) == 0)


@pytest.mark.parametrize("origin", ["http://elsewhere.example", "null", "http://127.0.0.1", "http://localhost:1", "x"])
def test_a_page_of_another_origin_is_refused(guarded, watch, origin):
    status, problem = refusal(guarded, watch, origin=origin)
    assert (status, problem["detail"]) == (
        403,
        f"a page of '{origin}' may not use this server: open the page of the server itself",
    )


def test_the_servers_own_page_is_welcome(guarded, watch, picture):
    with watch(guarded, origin=guarded.url) as viewer:
        viewer.send(picture)
        viewer.header()


def test_a_reader_that_does_not_read_costs_no_memory_and_loses_frames(server, watch, encode):
    """Its frames go on being taken; what is not sent is one mask."""
    random = np.random.default_rng(0)
    frame = encode(random.integers(0, 256, (150, 240, 3), dtype=np.uint8))
    memory = Path(f"/proc/{server.process.pid}/statm")
    with watch(server, "?size=source", max_queue=1) as viewer:
        receiving = viewer.socket.socket
        receiving.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        viewer.send(*[frame] * 40)
        before = int(memory.read_text().split()[1])
        viewer.send(*[frame] * 130)
        assert (int(memory.read_text().split()[1]) - before) * 4096 < 8 * 2**20
        newest = 0
        while newest < 169:
            header, _ = viewer.header()
            newest = header["frame"]
    assert header["dropped"] > 0


def test_a_flood_of_pings_that_nobody_reads_costs_no_memory(guarded):
    address = httpx.URL(guarded.url)
    head = (
        f"GET /segment/live HTTP/1.1\r\nHost: {address.host}:{address.port}\r\nConnection: Upgrade\r\n"
        "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    )
    pings = (b"\x89\xfdmask" + b"x" * 125) * 1000
    memory = Path(f"/proc/{guarded.process.pid}/statm")
    with socket.create_connection((address.host, address.port), timeout=10) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.sendall(head.encode())
        before = int(memory.read_text().split()[1])
        with contextlib.suppress(OSError):
            for _ in range(200):
                connection.sendall(pings)
        assert (int(memory.read_text().split()[1]) - before) * 4096 < 16 * 2**20
    assert guarded.client.get("/healthz").status_code == 200


def test_keys_come_by_header_or_subprotocol(bundle, start, watch, picture, tmp_path):
    (tmp_path / "keys").write_text(KEY)
    running = start(bundle, "--api-key-file", str(tmp_path / "keys"))
    encoded = base64.urlsafe_b64encode(KEY.encode()).decode().rstrip("=")
    right = f"segdistill.key.{encoded}"
    for options in (
        {"subprotocols": ["segdistill.v1", right]},
        {"additional_headers": {"X-API-Key": KEY}},
        {"additional_headers": {"Authorization": f"Bearer {KEY}"}},
    ):
        with watch(running, **options) as viewer:
            assert viewer.socket.subprotocol == "segdistill.v1"
            viewer.send(picture)
            viewer.header()
    for wrong in ("segdistill.key.", "segdistill.key.AAAA", "segdistill.key.A"):
        status, problem = refusal(running, watch, subprotocols=["segdistill.v1", wrong])
        assert (status, problem["type"]) == (401, "urn:segdistill:problem:unauthorized")
    code, errors = running.stop()
    assert code == 0
    assert KEY not in errors
    assert encoded not in errors


def test_the_rate_counts_openings_and_not_frames(bundle, start, watch, picture):
    running = start(bundle, "--rate", "2")
    with watch(running) as viewer:
        for _ in range(10):
            viewer.send(picture)
            viewer.header()
    with contextlib.suppress(InvalidStatus):
        for _ in range(5):
            with watch(running):
                pass
    status, problem = refusal(running, watch)
    assert (status, problem["type"]) == (429, "urn:segdistill:problem:rate-limited")
    running.stop()


def test_the_end_of_the_server_is_1001_for_readers_and_sleepers_alike(bundle, start, watch, picture, encode):
    running = start(bundle)
    frame = encode(np.random.default_rng(0).integers(0, 256, (600, 800, 3), dtype=np.uint8))
    with watch(running) as viewer, watch(running, "?size=source", max_queue=1) as sleeper:
        sleeper.socket.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sleeper.send(*[frame] * 10)
        viewer.send(picture)
        viewer.header()
        begin = time.monotonic()
        running.process.terminate()
        assert viewer.closed() == (1001, "the server ends: connect again")
        assert running.stop()[0] == 0
        assert time.monotonic() - begin < 10


def test_while_it_drains_no_new_viewer_is_taken(bundle, start, watch):
    running = start(bundle, "--drain-s", "3")
    running.process.terminate()
    wait_until(lambda: running.client.get("/readyz").status_code == 503)
    status, problem = refusal(running, watch)
    assert (status, problem["detail"]) == (503, "the server is about to end: try again")
    assert running.stop()[0] == 0


def test_a_crowd_of_requests_and_a_viewer_do_not_starve_each_other(bundle, start, watch, picture):
    running = start(bundle, "--max-concurrency", "64")
    over = threading.Event()
    answered = []

    def ask():
        with httpx.Client(base_url=running.url, timeout=30) as client:
            while not over.is_set():
                answered.append(client.post("/segment", content=picture).status_code)

    crowd = [threading.Thread(target=ask) for _ in range(12)]
    for thread in crowd:
        thread.start()
    try:
        with watch(running) as viewer:
            begin, masks, before = time.monotonic(), 0, len(answered)
            while time.monotonic() - begin < 2:
                viewer.send(picture)
                viewer.header()
                masks += 1
            requests = len(answered) - before
    finally:
        over.set()
        for thread in crowd:
            thread.join()
    assert set(answered) == {200}
    assert requests > 10
    assert masks > requests / 12 / 2  # half of what one of the crowd gets, on a network that costs next to nothing


def test_a_new_version_of_the_model_goes_on_and_another_model_ends_it(start, watch, picture, make_bundle, tmp_path):
    root = make_bundle(tmp_path / "bundle")
    running = start(root, "--reload-s", "0.1")

    def version():
        return running.client.get("/model").json()["manifest"]["created"]

    with watch(running) as viewer:
        for created, names in (("2026-02-02T00:00:00Z", None), ("2026-03-03T00:00:00Z", ["r", "g", "b"])):
            manifest = load_bundle(root).manifest
            update = {"created": created} | ({"classes": names} if names else {})
            save_manifest(root, manifest.model_copy(update=update))
            wait_until(lambda created=created: version() == created, 20)
            viewer.send(picture)
            if names is None:
                viewer.header()
        assert viewer.closed() == (1012, "the model has changed: connect again")
    assert running.stop()[0] == 0
