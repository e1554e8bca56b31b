"""From an image to a class map and what goes with it, on real servers."""

import concurrent.futures
import gc
import io
import sys
import threading

import numpy as np
import pytest
from PIL import Image

from serve.client import Client, Retries, ServerProblem
from serve.client.call import API_KEY
from serve.client.image import decode, encode
from serve.timing import STAGES
from tests.serve.client.conftest import KEY
from tests.serve.client.scripted_server import GOOD, answer, scripted
from tests.serve.tiny_bundles import PALETTE
from train.data.palette import overlay
from train.data.resize import resize_image
from train.errors import UserError


def test_every_form_of_an_image(ask, server, image, encode, tmp_path):
    path = tmp_path / "street.png"
    path.write_bytes(encode(image))
    for source in (path, str(path), path.read_bytes(), image):
        np.testing.assert_array_equal(ask(server.url, "segment", source).ids, image.argmax(-1))
    mirrored = ask(server.url, "segment", image[:, ::-1])
    np.testing.assert_array_equal(mirrored.ids, image[:, ::-1].argmax(-1))


def test_what_comes_with_the_class_map(ask, server, image):
    result = ask(server.url, "segment", image)
    ids = image.argmax(-1)
    assert result.ids.dtype == np.uint8
    assert result.ids.flags.writeable
    assert result.confidence is None
    assert result.model.classes == ["red", "green", "blue"]
    assert result.model.palette == PALETTE
    assert list(result.timings_ms) == list(STAGES)
    assert result.request_id
    assert result.notes == []
    assert result.shares == pytest.approx({name: (ids == i).mean() for i, name in enumerate(result.model.classes)})
    assert list(result.shares.values()) == sorted(result.shares.values(), reverse=True)


def test_the_overlay_is_the_one_that_the_server_draws(ask, server, image, encode):
    result = ask(server.url, "segment", encode(image))
    drawn = ask(server.url, "answer", image, "image/png", overlay=True)
    assert drawn.media_type == "image/png"
    np.testing.assert_array_equal(result.overlay(), decode(bytes(drawn.body)))
    np.testing.assert_array_equal(result.overlay(1.0), overlay(image, result.ids, PALETTE, 1.0))


def test_the_networks_size(ask, server):
    image = np.random.default_rng(3).integers(0, 256, (90, 70, 3), dtype=np.uint8)
    result = ask(server.url, "segment", image, size="network")
    np.testing.assert_array_equal(result.ids, resize_image(image, (48, 64)).argmax(-1))
    assert result.overlay().shape == (48, 64, 3)


def test_only_some_classes(ask, server, image):
    result = ask(server.url, "segment", image, classes=["red", 2])
    expected = image.argmax(-1)
    np.testing.assert_array_equal(result.ids, np.where(expected == 1, result.model.ignore_index, expected))
    assert set(result.shares) == {"red", "blue"}
    assert sum(result.shares.values()) == pytest.approx((expected != 1).mean())


def test_notes(ask, server, image):
    file = io.BytesIO()
    Image.fromarray(image[..., 0]).save(file, "PNG")
    assert ask(server.url, "segment", file.getvalue()).notes == ["converted from greyscale"]


def test_a_model_by_name_and_its_confidence(ask, guarded, image):
    result = ask(guarded.url, "segment", image, model="sure", confidence=True, options={"api_key": KEY})
    np.testing.assert_array_equal(result.ids, image.argmax(-1))
    np.testing.assert_array_equal(result.confidence, image.max(-1))
    assert result.model.name == "sure"


def test_a_key_from_the_environment(ask, guarded, image, monkeypatch):
    with pytest.raises(ServerProblem) as caught:
        ask(guarded.url, "segment", image)
    assert (caught.value.status, caught.value.type) == (401, "urn:segdistill:problem:unauthorized")
    monkeypatch.setenv(API_KEY, KEY)
    assert ask(guarded.url, "model").name == "bundle"
    with pytest.raises(ServerProblem, match="no API key, or a wrong one"):
        ask(guarded.url, "model", options={"api_key": "another-key-of-sixteen"})


@pytest.mark.parametrize(
    ("source", "keywords", "status", "kind"),
    [
        (b"nope", {}, 415, "urn:segdistill:problem:unknown-format"),
        (b"", {}, 400, "about:blank"),
        (None, {"classes": ["gren"]}, 422, "urn:segdistill:problem:invalid-parameter"),
        (None, {"confidence": True}, 422, "urn:segdistill:problem:invalid-parameter"),
        (None, {"model": "x"}, 404, "about:blank"),
    ],
)
def test_a_refusal_is_typed(ask, server, image, source, keywords, status, kind):
    with pytest.raises(ServerProblem) as caught:
        ask(server.url, "segment", image if source is None else source, **keywords)
    problem = caught.value
    assert (problem.status, problem.type) == (status, kind)
    assert problem.detail
    assert problem.request_id
    assert problem.request_id in str(problem)


def test_too_large_for_the_server(ask, small_server, image):
    large = image.repeat(4, 0).repeat(4, 1)
    with pytest.raises(ServerProblem) as caught:
        ask(small_server.url, "segment", large)
    assert caught.value.type in {"urn:segdistill:problem:body-too-large", "urn:segdistill:problem:image-too-large"}


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("not/there.png", "cannot be read"),
        (np.zeros((4, 4), np.uint8), r"\(4, 4\) of uint8: give RGB"),
        (np.zeros((4, 4, 3)), "of float64: give RGB"),
        (np.zeros((0, 4, 3), np.uint8), "give RGB"),
    ],
)
def test_what_is_not_worth_sending(ask, server, source, said):
    with pytest.raises(UserError, match=said):
        ask(server.url, "segment", source)


@pytest.mark.parametrize("url", ["", "localhost:8000", "ftp://host", "http://"])
def test_an_address_that_is_none(ask, url):
    with pytest.raises(UserError, match="give one like"):
        ask(url, "model")


def test_a_key_that_no_header_can_hold(ask, server):
    with pytest.raises(UserError, match="API key"):
        ask(server.url, "model", options={"api_key": "key with\nnew line"})


def test_an_overloaded_server_is_asked_until_it_has_room(ask, small_server, slow_post, image):
    def ask_until_refused():  # the two need a moment to be let in
        while True:
            ask(small_server.url, "segment", image, options={"retries": Retries(most=0)})

    with slow_post(small_server, 100) as one, slow_post(small_server, 100) as two:
        with pytest.raises(ServerProblem) as caught:
            ask_until_refused()
        assert caught.value.type == "urn:segdistill:problem:overloaded"
        assert caught.value.retry_after_s >= 1
        leave = threading.Timer(0.5, lambda: (one.connection.close(), two.connection.close()))
        leave.start()
        np.testing.assert_array_equal(ask(small_server.url, "segment", image).ids, image.argmax(-1))
        leave.join()


def test_the_classes_are_asked_for_once():
    ids = answer(200, bytes([0, 1, 1, 255]), segdistill_shape="2,2", segdistill_dtype="uint8")
    with scripted(GOOD, ids, ids, ids) as server, Client(server.url) as client:
        results = [client.segment(b"image") for _ in range(3)]
    assert [request.split(b" ")[1].split(b"?")[0] for request in server.asked] == [b"/model"] + [b"/segment"] * 3
    assert results[2].shares == {"green": 0.5, "red": 0.25}


def test_one_line_leaves_no_connection_open(server, image):
    assert Client(server.url).segment(image).ids.shape == image.shape[:2]
    warned = []
    before, sys.unraisablehook = sys.unraisablehook, warned.append
    try:
        gc.collect()
    finally:
        sys.unraisablehook = before
    assert warned == []


def test_threads_share_a_client(server, image):
    images = [np.roll(image, shift, 1) for shift in range(12)]
    before = threading.active_count()
    with Client(server.url) as client, concurrent.futures.ThreadPoolExecutor(4) as pool:
        for source, result in zip(images, pool.map(client.segment, images), strict=True):
            np.testing.assert_array_equal(result.ids, source.argmax(-1))
    assert threading.active_count() == before


def test_a_closed_client_says_so(server):
    client = Client(server.url)
    client.close()
    with pytest.raises(RuntimeError, match="closed"):
        client.model()


@pytest.mark.parametrize(("height", "kind"), [(1000, b"BM"), (3000, b"\x89PNG")])
def test_pixels_go_without_loss_and_within_what_a_server_takes(height, kind):
    pixels = (np.arange(height * 2000 * 3, dtype=np.uint32) // 1000).astype(np.uint8).reshape(height, 2000, 3)
    sent = encode(pixels)
    assert sent.startswith(kind)
    assert len(sent) < 16 * 2**20
    np.testing.assert_array_equal(decode(sent), pixels)


@pytest.mark.slow
def test_a_client_outlives_its_server(bundle, server_process, image):
    running = server_process(bundle)
    replaced = []
    port = running.url.rpartition(":")[2]
    restart = threading.Thread(target=lambda: replaced.append(server_process(bundle, "--port", port)))
    with Client(running.url, retries=Retries(most=100, longest_wait_s=1)) as client:
        client.segment(image)
        running.stop()
        restart.start()
        try:
            np.testing.assert_array_equal(client.segment(image).ids, image.argmax(-1))
        finally:
            restart.join()
            assert replaced[0].stop()[0] == 0
