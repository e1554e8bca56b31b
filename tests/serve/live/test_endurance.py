"""Memory stays where it is, however long viewers watch."""

import statistics
import threading
import time
from pathlib import Path

import pytest


def resident_mib(server):
    return int(Path(f"/proc/{server.process.pid}/statm").read_text().split()[1]) * 4096 / 2**20


def frames(watch, server, picture, count):
    with watch(server) as viewer:
        for _ in range(count):
            viewer.send(picture)
            viewer.header()


def test_a_thousand_frames_and_fifty_connections(server, watch, picture):
    frames(watch, server, picture, 300)
    before = resident_mib(server)
    frames(watch, server, picture, 700)
    for _ in range(50):
        frames(watch, server, picture, 2)
    assert resident_mib(server) < before + 4


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_five_minutes_with_four_viewers_that_send_too_much(server, watch, encode, image):
    picture = encode(image.repeat(5, 0).repeat(5, 1))
    over = threading.Event()
    seen = [0, 0, 0, 0]

    def watch_on(number):
        with watch(server, "?smoothing=0.5") as viewer:
            while not over.is_set():
                viewer.send(picture, picture, picture, picture)
                newest = seen[number] + 3
                while (answered := viewer.header()[0]["frame"]) < newest:
                    pass
                seen[number] = answered + 1

    viewers = [threading.Thread(target=watch_on, args=[number]) for number in range(4)]
    for thread in viewers:
        thread.start()
    samples = []
    try:
        for _ in range(300):
            time.sleep(1)
            samples.append(resident_mib(server))
    finally:
        over.set()
        for thread in viewers:
            thread.join()
    assert min(seen) > 1000
    assert statistics.median(samples[-30:]) < statistics.median(samples[30:60]) + 4
