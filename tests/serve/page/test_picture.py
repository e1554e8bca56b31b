"""A picture in the page: what is painted, hidden, named, compared."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.serve.conftest import ServerProcess
from tests.serve.page.browser import PHONE, SMALL, Look
from tests.serve.tiny_bundles import HEIGHT, PALETTE, WIDTH

INSIDE = np.s_[1:-1, 1:-1]
"""Of what is seen, all but the rim: the corners are round."""


@pytest.fixture(scope="module")
def seen(context: Any, two_models: ServerProcess, picture: Path) -> Iterator[Look]:
    """The page with `picture`, for tests that only look at it."""
    look = Look(context, two_models.url, SMALL).take(picture)
    yield look
    look.page.close()
    look.check()


@pytest.fixture
def ids(image: np.ndarray) -> np.ndarray:
    """``(H, W)`` of `image`."""
    return np.argmax(image, -1)


def set_opacity(look: Look, value: int) -> None:
    look.find("#opacity").fill(str(value))


def test_every_pixel_has_its_class_and_a_person_sees_its_colour_as_strong_as_asked(
    look: Look, picture: Path, image: np.ndarray, ids: np.ndarray
) -> None:
    look.take(picture)
    mask = look.mask()
    assert (mask[..., :3] == np.array(PALETTE)[ids]).all()
    assert (mask[..., 3] == 255).all()
    set_opacity(look, 100)
    assert (look.screen(HEIGHT, WIDTH) == np.array(PALETTE)[ids])[INSIDE].all()
    blocks = np.ix_(range(4, HEIGHT, 8), range(4, WIDTH, 8))  # the picture is smoothed where it is enlarged
    set_opacity(look, 0)
    without = look.screen(HEIGHT, WIDTH)
    assert np.abs(without[blocks].astype(float) - image[blocks]).mean() < 12
    set_opacity(look, 60)
    mixed = 0.4 * without + 0.6 * np.array(PALETTE)[ids]
    assert np.abs(look.screen(HEIGHT, WIDTH) - mixed)[INSIDE].max() <= 2


def test_a_class_can_be_hidden_and_all_of_them(look: Look, picture: Path, ids: np.ndarray) -> None:
    look.take(picture).find(
        "#legend label",
    ).filter(has_text="green").click()
    assert (look.mask()[..., 3] == np.where(ids == 1, 0, 255)).all()
    look.find("#all").click()
    assert (look.mask()[..., 3] == 0).all()
    look.find("#all").click()
    assert (look.mask()[..., 3] == 255).all()


def test_shares_are_those_of_the_pixels_the_largest_first(seen: Look, ids: np.ndarray) -> None:
    shares = seen.shares()
    expected = np.bincount(ids.ravel(), minlength=3) / ids.size
    assert shares == pytest.approx(dict(zip(("red", "green", "blue"), expected, strict=True)), abs=6e-4)
    assert list(shares.values()) == sorted(shares.values(), reverse=True)


def test_what_is_under_the_pointer_is_named(seen: Look, ids: np.ndarray) -> None:
    for row, column in ((4, 4), (20, 60), (44, 36)):
        name = seen.point((column + 0.5) / WIDTH, (row + 0.5) / HEIGHT)
        assert name == ("red", "green", "blue")[ids[row, column]]
    seen.page.mouse.move(5, 5)
    assert seen.find(".probe").first.is_hidden()


def test_the_wipe_shows_the_picture_on_one_side(look: Look, picture: Path, ids: np.ndarray) -> None:
    look.take(picture)
    set_opacity(look, 100)
    look.find("#compare").click()
    look.find(".wipe").fill("50")
    seen = look.screen(HEIGHT, WIDTH)
    right, colours = slice(WIDTH // 2 + 4, None), np.array(PALETTE)[ids]
    assert (seen == colours)[INSIDE][:, right].all()
    assert (seen[:, : WIDTH // 2 - 4] != colours[:, : WIDTH // 2 - 4]).any(-1).mean() > 0.99
    look.find("#compare").click()
    assert (look.screen(HEIGHT, WIDTH) == colours)[INSIDE].all()


def test_everything_is_done_with_the_keyboard(look: Look, picture: Path, ids: np.ndarray) -> None:
    look.take(picture)
    keys = look.page.keyboard
    look.find(".view").focus()
    keys.press("ArrowRight")
    assert look.find(".probe").first.text_content() == ("red", "green", "blue")[ids[HEIGHT // 2, WIDTH // 2]]
    keys.press("Shift+ArrowDown")
    named = look.find("#status").text_content()
    assert named == ("red", "green", "blue")[ids[int(0.6 * HEIGHT), WIDTH // 2]]
    look.find("#compare").focus()
    keys.press("Space")
    look.find(".wipe").focus()
    for _ in range(3):
        keys.press("ArrowRight")
    assert float(look.find(".wipe").input_value()) > 50
    look.find("#opacity").focus()
    keys.press("End")
    assert look.find("#opacity-value").text_content() == "100 %"
    look.find("#legend input").first.focus()
    keys.press("Space")
    assert (look.mask()[..., 3] == 0).any()


def test_a_dropped_and_a_pasted_file_are_as_good_as_a_chosen_one(look: Look, picture: Path, ids: np.ndarray) -> None:
    protocol = look.ready().context.new_cdp_session(look.page)
    dropped = {"items": [], "files": [str(picture)], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "drop"):
        protocol.send("Input.dispatchDragEvent", {"type": kind, "x": 400, "y": 400, "data": dropped})
    assert (look.segmented().mask()[..., :3] == np.array(PALETTE)[ids]).all()
    look.page.reload()
    look.ready().context.grant_permissions(["clipboard-read", "clipboard-write"])
    look.page.evaluate(COPY, list(picture.read_bytes()))
    look.page.keyboard.press("Control+V")
    assert (look.segmented().mask()[..., :3] == np.array(PALETTE)[ids]).all()


COPY = """(bytes) => navigator.clipboard.write(
  [new ClipboardItem({ "image/png": new Blob([new Uint8Array(bytes)], { type: "image/png" }) })])"""


def test_models_are_looked_through_side_by_side(look: Look, picture: Path, ids: np.ndarray) -> None:
    look.take(picture).find(".chip").nth(1).click()
    look.find(".timing").nth(1).wait_for()
    look.find("#legend .share").nth(1).filter(has_text="%").wait_for()
    for pane in (0, 1):
        assert (look.mask(pane)[..., :3] == np.array(PALETTE)[ids]).all()
    assert look.shares(0) == look.shares(1)
    first, second = (look.find(".view").nth(pane).bounding_box() for pane in (0, 1))
    assert first["y"] == second["y"]
    assert first["x"] + first["width"] < second["x"]


def test_latency_by_stage_adds_up_to_the_whole(seen: Look) -> None:
    rows = seen.find(".times div").evaluate_all(
        "(rows) => rows.map((row) => [row.children[0].textContent, row.children[1].textContent])"
    )
    stages = {stage: float(text.removesuffix(" ms")) for stage, text in rows}
    assert list(stages) == ["decode", "preprocess", "queue", "inference", "postprocess", "encode", "transfer"]
    whole = float(str(seen.find(".total strong").text_content()).removesuffix(" ms"))
    assert sum(stages.values()) == pytest.approx(whole, abs=1)


def test_the_card_says_what_is_served_and_that_it_is_not_proven(seen: Look) -> None:
    card = seen.find("#cards").inner_text()
    for words in ("Not verified", "Classes\n3", f"{WIDTH} × {HEIGHT} pixels", "fp32", "onnxruntime"):
        assert words in card


def test_a_screen_reader_hears_what_is_seen(seen: Look) -> None:
    view = seen.find(".view").first
    assert view.get_attribute("role") == "application"
    assert "red " in str(view.get_attribute("aria-label"))
    assert str(seen.find("#status").text_content()).startswith("Segmented. ")
    for name in ("Before / after", "Save", "Open", "Camera"):
        seen.page.get_by_role("button", name=name, exact=True).wait_for()
    seen.page.get_by_role("slider", name="Overlay").wait_for()
    assert seen.page.get_by_role("checkbox").count() == 3


def test_what_the_server_says_is_shown_as_it_is(
    look: Look, picture: Path, tmp_path: Path, two_models: ServerProcess
) -> None:
    look.refused = True
    look.take(picture)
    for name, content in (("letter.pdf", b"%PDF-1.7 no picture"), ("torn.png", b"\x89PNG\r\n\x1a\n torn")):
        file = tmp_path / name
        file.write_bytes(content)
        said = two_models.client.post("/segment", content=content).json()["detail"]
        look.ready().page.set_input_files("#file", file)
        look.find("#message-text").filter(has_text=said).wait_for()
    assert look.find("#again").is_visible()
    assert look.find("#panes").is_hidden()  # and not the picture before it, as if the words were about that
    assert look.find("#latency-section").is_hidden()


def test_what_was_done_to_the_picture_is_said(
    look: Look, tmp_path: Path, image: np.ndarray, encode: Callable[..., bytes]
) -> None:
    grey = tmp_path / "grey.png"
    grey.write_bytes(encode(image[..., 0]))
    look.take(grey)
    assert look.find("#notes").text_content() == "converted from greyscale"


def test_saved_is_what_is_seen(look: Look, picture: Path, tmp_path: Path, ids: np.ndarray) -> None:
    from PIL import Image

    look.take(picture)
    set_opacity(look, 100)
    with look.page.expect_download() as download:
        look.find("#save").click()
    assert download.value.suggested_filename == "street-segmented.png"
    download.value.save_as(tmp_path / "saved.png")
    with Image.open(tmp_path / "saved.png") as saved:
        assert (np.asarray(saved)[..., :3] == np.array(PALETTE)[ids]).all()


def test_a_large_phone_picture_fits_the_phone(
    open_page: Callable[..., Look], two_models: ServerProcess, tmp_path: Path, encode: Callable[..., bytes], image: Any
) -> None:
    large = tmp_path / "large.jpg"
    large.write_bytes(encode(image.repeat(60, 0).repeat(60, 1), "JPEG"))
    look = open_page(two_models.url, PHONE, has_touch=True, is_mobile=True).take(large)
    assert look.page.evaluate("() => document.documentElement.scrollWidth") == PHONE[0]
    assert look.find(".view").bounding_box()["width"] == PHONE[0]
    assert look.mask().shape[:2] == (HEIGHT, WIDTH)
    box = look.find(".view").bounding_box()
    look.page.touchscreen.tap(box["x"] + 20, box["y"] + 20)
    assert look.find(".probe").first.is_visible()
