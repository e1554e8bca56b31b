"""Live streams from Python, in both kinds of client."""

import asyncio
import threading

import numpy as np
import pytest

from serve.client import AsyncClient, Client, LiveEnded, NoAnswer, ServerProblem
from tests.serve.client.conftest import KEY


def ask_client(url, frames, **options):
    """The hello, and what each frame gives: a mask or the error."""
    client = options.pop("client", {})
    with Client(url, **client).live(**options) as stream:
        return stream.hello, [_outcome(stream.segment, frame) for frame in frames]


def _outcome(segment, frame):
    try:
        return segment(frame)
    except ServerProblem as problem:
        return problem


def ask_async_client(url, frames, **options):
    client = options.pop("client", {})

    async def run():
        async with AsyncClient(url, **client) as opened, opened.live(**options) as stream:
            answers = []
            for frame in frames:
                try:
                    answers.append(await stream.segment(frame))
                except ServerProblem as problem:
                    answers.append(problem)
            return stream.hello, answers

    return asyncio.run(run())


@pytest.fixture(params=[ask_client, ask_async_client], ids=["sync", "async"])
def live(request):
    return request.param


def test_files_bytes_and_pixels_are_frames(server, live, image, encode, tmp_path):
    (tmp_path / "frame.png").write_bytes(encode(image))
    flat = np.zeros((48, 64, 3), np.uint8)
    flat[..., 1] = 200
    hello, masks = live(server.url, [tmp_path / "frame.png", encode(image), flat])
    assert (hello.classes, hello.height, hello.width) == (["red", "green", "blue"], 48, 64)
    for mask in masks[:2]:
        np.testing.assert_array_equal(mask.ids, image.argmax(-1))
    assert (masks[2].ids == 1).all()
    assert masks[2].shares == {"green": 1.0}
    assert [(mask.frame, mask.dropped) for mask in masks] == [(0, 0), (1, 0), (2, 0)]
    assert 0 < masks[0].timings_ms["inference"] < masks[0].age_ms


def test_options_are_those_of_the_server(server, live, image, encode):
    large = encode(image.repeat(2, 0).repeat(2, 1))
    hello, (mask,) = live(server.url, [large], size="source", classes=["green", 2], smoothing=0.5, model="bundle")
    assert hello.smoothing == 0.5
    assert mask.ids.shape == (96, 128)
    assert set(np.unique(mask.ids)) == {1, 2, 255}


def test_a_bad_frame_is_a_problem_and_the_stream_goes_on(server, live, image, encode):
    _, (problem, mask) = live(server.url, [b"no picture", encode(image)])
    assert (problem.status, problem.type) == (415, "urn:segdistill:problem:unknown-format")
    assert str(problem).startswith("frame 0: the 10 bytes are no image")
    assert mask.frame == 1


def test_keys_open_what_is_guarded(guarded, live, image, encode, monkeypatch):
    assert live(guarded.url, [encode(image)], client={"api_key": KEY})[1][0].frame == 0
    monkeypatch.setenv("SEGDISTILL_API_KEY", KEY)
    assert live(guarded.url, [encode(image)])[1][0].frame == 0
    with pytest.raises(ServerProblem, match="no API key, or a wrong one") as caught:
        live(guarded.url, [], client={"api_key": "another-key-of-its-length"})
    assert caught.value.status == 401


def test_what_the_server_refuses_is_its_problem(server, live):
    with pytest.raises(ServerProblem, match="no model 'other': there is bundle") as caught:
        live(server.url, [], model="other")
    assert caught.value.status == 404
    assert caught.value.request_id


def test_where_no_server_is(live, unused_address):
    with pytest.raises(NoAnswer, match="is `python -m serve` running there"):
        live(unused_address, [])


def test_one_thread_sends_while_another_receives(server, image, encode):
    frame = encode(image)
    with Client(server.url).live() as stream:
        sending = threading.Thread(target=lambda: [stream.send(frame) for _ in range(50)])
        sending.start()
        numbers = []
        for mask in stream:
            numbers.append(mask.frame)
            if mask.frame == 49:
                break
        sending.join()
    assert numbers == sorted(numbers)
    assert mask.dropped == 50 - len(numbers)


def test_the_end_has_its_code_and_reason(bundle, server_process, image, encode):
    running = server_process(bundle, "--live-idle-s", "0.3")
    with Client(running.url).live() as stream:
        with pytest.raises(LiveEnded, match="no frame for") as caught:
            stream.receive()
        assert caught.value.code == 1000
        assert list(stream) == []
        with pytest.raises(LiveEnded):
            stream.send(encode(image))
    assert running.stop()[0] == 0


def test_silence_is_no_answer(server):
    with Client(server.url, timeout_s=0.2).live() as stream, pytest.raises(NoAnswer, match="nothing came for"):
        stream.receive()
