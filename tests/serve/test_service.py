"""Requests share the server: at once, in bounds, without holding each other up."""

import io
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from PIL import Image


def test_concurrent_requests_get_their_own_answers(server, encode):
    images = np.random.default_rng(0).integers(0, 256, (12, 48, 64, 3), dtype=np.uint8)
    with ThreadPoolExecutor(6) as clients:
        answers = list(clients.map(lambda image: server.client.post("/segment", content=encode(image)), images))
    for image, answer in zip(images, answers, strict=True):
        np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(answer.content))), image.argmax(-1))


def test_one_request_too_many_is_told_to_come_back(small_server, slow_post, image, encode):
    data = encode(image)
    client = small_server.client
    with slow_post(small_server, len(data)) as first, slow_post(small_server, len(data)) as second:
        first.send(data[:10])
        second.send(data[:10])
        for _ in range(2):  # by then both are admitted
            assert client.get("/healthz").status_code == 200
        refused = client.post("/segment", content=data)
        assert refused.status_code == 503
        assert refused.headers["retry-after"] == "1"
        assert "2 requests" in refused.json()["detail"]
        first.send(data[10:])
        second.send(data[10:])
        assert first.answer().status_code == second.answer().status_code == 200
    assert client.post("/segment", content=data).status_code == 200


def test_a_client_that_goes_away_frees_its_place(small_server, slow_post, image, encode):
    for _ in range(4):
        with slow_post(small_server, 1000) as upload:
            upload.send(b"half of an image")
    while (status := small_server.client.post("/segment", content=encode(image)).status_code) == 503:
        pass  # until the server has seen that they are gone, long before their time is over
    assert status == 200


def test_the_event_loop_answers_while_images_are_worked_on(server, encode):
    large = encode(np.zeros((3000, 3000, 3), np.uint8))
    with ThreadPoolExecutor(1) as client:
        slow = client.submit(server.client.post, "/segment", content=large)
        answered_meanwhile = 0
        while not slow.done():
            answered_meanwhile += server.client.get("/healthz").status_code == 200
    assert slow.result().status_code == 200
    assert answered_meanwhile > 5
