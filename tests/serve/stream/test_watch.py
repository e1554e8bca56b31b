"""A stream that is watched while it runs: real HTTP, real JPEGs."""

import io
import itertools
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image

from export.bundle import load_bundle
from serve.segmentation import Segmentation
from serve.stream.watch import MOST_VIEWERS, Watch, watched
from serve.timing import StageTimes
from serve.video.conveyor import SegmentedFrame
from serve.video.form import VideoSummary
from tests.serve.stream.test_stream import stream
from tests.serve.tiny_bundles import PALETTE
from train.errors import UserError


@pytest.fixture
def seen(bundle: Path) -> Iterator[tuple[Watch, str]]:
    with watched("127.0.0.1:0", load_bundle(bundle).manifest) as both:
        yield both


def all_of(number: int) -> SegmentedFrame:
    """A black frame all of one class."""
    ids = np.full((48, 64), number, np.uint8)
    segmentation = Segmentation(np.zeros((48, 64, 3), np.uint8), ids, None, [], StageTimes())
    return SegmentedFrame(None, segmentation)  # type: ignore[arg-type]  # a watcher looks at the segmentation alone


class Feed:
    """Frames that come without end, of one class and then of the next."""

    def __init__(self, watch: Watch) -> None:
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(watch,))
        self._thread.start()

    def _run(self, watch: Watch) -> None:
        for number in itertools.cycle(range(3)):
            watch.write(all_of(number))
            if self._stop.wait(0.01):
                return

    def end(self) -> None:
        self._stop.set()
        self._thread.join()


def parts(answer: httpx.Response, count: int) -> list[np.ndarray]:
    data = b""
    for chunk in answer.iter_raw():
        data += chunk
        if data.count(b"--frame") > count:
            break
    bodies = [part.split(b"\r\n\r\n", 1)[1].rstrip(b"\r\n") for part in data.split(b"--frame\r\n")[1 : count + 1]]
    return [np.asarray(Image.open(io.BytesIO(body))) for body in bodies]


def test_a_browser_sees_the_colours(seen: tuple[Watch, str]) -> None:
    watch, url = seen
    feed = Feed(watch)
    with httpx.stream("GET", url) as answer:
        assert answer.headers["content-type"] == "multipart/x-mixed-replace; boundary=frame"
        pictures = parts(answer, 4)
    feed.end()
    colours = {tuple(int(round(value * 2 / 64) * 32) for value in picture.mean((0, 1))) for picture in pictures}
    assert {picture.shape for picture in pictures} == {(48, 64, 3)}
    assert len(colours) == 3
    assert all(max(colour) > 0 for colour in colours), PALETTE


def test_not_more_than_a_few_and_only_there(seen: tuple[Watch, str]) -> None:
    watch, url = seen
    assert httpx.get(f"{url}/other").status_code == 404
    streams = [httpx.stream("GET", url) for _ in range(MOST_VIEWERS)]
    for one in streams:
        one.__enter__()
    assert httpx.get(url).status_code == 503
    for one in streams:
        one.__exit__(None, None, None)
    watch.finish(VideoSummary(frames=0, broken=0, seconds=0, timings_ms={}))
    assert httpx.get(url).status_code in (200, 503)


@pytest.mark.parametrize("address", ["8081", "127.0.0.1:", "127.0.0.1:99999", "no.such.host.invalid:80"])
def test_an_address_that_cannot_be(bundle: Path, address: str) -> None:
    with pytest.raises(UserError, match=f"^--watch {address}: "), watched(address, load_bundle(bundle).manifest):
        pass


def test_without_any_output_nothing_is_begun(bundle: Path) -> None:
    code, _, errors = stream(bundle, "--source", "nothing.mp4")
    assert (code, errors) == (2, "error: nothing would come of it: give --out PATH, --watch HOST:PORT, or both\n")
