"""The camera and a video in the page, over the live socket: right, refused, cut off and back."""

from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest

from tests.serve.conftest import ServerProcess
from tests.serve.page.browser import Look
from tests.serve.page.conftest import stripes
from tests.serve.tiny_bundles import HEIGHT, PALETTE, WIDTH


def film(look: Look) -> Look:
    """Use the camera, which is allowed, and wait for classes."""
    look.context.grant_permissions(["camera"])
    look.ready().find("#camera").click()
    return look.segmented()


def striped(mask: np.ndarray) -> bool:
    """Whether a class map is that of `stripes`, but for a pixel at each border, which the JPEG mixes."""
    expected = np.array(PALETTE)[np.arange(WIDTH) * 3 // WIDTH]
    inside = np.abs((np.arange(WIDTH) + 0.5) * 3 / WIDTH % 1 - 0.5) < 0.42
    return bool((mask[:, inside, :3] == expected[inside]).all())


def test_the_camera_is_segmented_frame_by_frame(look: Look) -> None:
    film(look)
    assert look.mask().shape[:2] == (HEIGHT, WIDTH)
    assert striped(look.mask())
    look.find("#rate").filter(has_text="frames/s").wait_for()
    look.page.wait_for_timeout(700)
    assert look.frame_rate() >= 2
    assert [look.point(x, 0.5) for x in (0.1, 0.5, 0.9)] == ["red", "green", "blue"]
    assert look.shares() == pytest.approx({"red": 1 / 3, "green": 1 / 3, "blue": 1 / 3}, abs=0.04)


def test_two_models_watch_the_same_camera_and_a_press_ends_it(look: Look) -> None:
    look.ready().find(".chip").nth(1).click()
    film(look).find(".timing").nth(1).locator("strong", has_text="ms").wait_for()
    look.find("#rate").filter(has_text="·").wait_for()
    assert striped(look.mask(0))
    assert striped(look.mask(1))
    look.find("#camera").click()
    look.find("#empty").wait_for()
    assert look.find("video").count() == 0


def test_smoothing_is_asked_for_and_the_stream_goes_on(look: Look) -> None:
    film(look).find("#smooth").click()
    look.segmented().page.wait_for_timeout(300)
    live = [url for url in look.requests if "/segment/live" in url]
    assert ["smoothing=0.5" in url for url in live] == [False, True]
    assert striped(look.mask())


def test_a_refused_camera_is_said_and_a_picture_still_works(look: Look, picture: Path) -> None:
    look.ready().find("#camera").click()
    assert look.message().startswith("The camera was refused.")
    assert look.find("#empty").is_visible()
    look.take(picture)
    assert look.find("#message").is_hidden()


def write_video(path: Path, frames: int = 30) -> Path:
    """Two seconds of `stripes`, VP8."""
    with av.open(path, "w") as container:
        stream = container.add_stream("libvpx", rate=15)
        stream.width, stream.height, stream.pix_fmt = 128, 96, "yuv420p"
        for _ in range(frames):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(stripes(), format="rgb24")))
        container.mux(stream.encode(None))
    return path


def test_a_video_plays_pauses_and_is_given_back_annotated(look: Look, tmp_path: Path) -> None:
    look.take(write_video(tmp_path / "drive.webm"))
    assert striped(look.mask())
    look.find("#play").click()
    assert look.find("#play").get_attribute("aria-label") == "Play"
    look.page.wait_for_timeout(200)
    before = look.find("#seek").input_value()
    look.page.wait_for_timeout(200)
    assert look.find("#seek").input_value() == before
    with look.page.expect_download() as download:
        look.find("#save").click()
    assert download.value.suggested_filename == "drive-segmented.mp4"
    with av.open(str(download.value.path())) as annotated:
        assert sum(1 for _ in annotated.decode(video=0)) == 30


def test_a_video_that_nobody_can_read_is_said(look: Look, tmp_path: Path) -> None:
    look.refused = True
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no video")
    look.ready().page.set_input_files("#file", broken)
    look.find("#message-text").filter(has_text="This browser cannot play broken.mp4.").wait_for()
    look.find("#save").click()
    look.find("#again").wait_for()
    assert "MP4" in look.message()


def test_a_server_that_is_started_again_gets_its_stream_back(
    open_page: Callable[..., Look], server_process: type[ServerProcess], bundle: Path
) -> None:
    first = server_process(bundle, "--drain-s", "0")
    look = film(open_page(first.url))
    look.refused = True
    assert first.stop()[0] == 0
    assert look.message().endswith("again …")
    second = server_process(bundle, "--port", first.url.rpartition(":")[2])
    look.find("#message").wait_for(state="hidden")
    look.find("#rate").filter(has_text="frames/s").wait_for()
    answered = look.page.evaluate("() => document.querySelector('.pane').className")
    assert "waiting" not in answered
    assert striped(look.mask())
    assert second.stop()[0] == 0
