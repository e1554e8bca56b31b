"""``python -m serve.client``: a folder, its failures, its interruption."""

import asyncio
import io
import json
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image

from serve.client.__main__ import main
from serve.client.answer import Answer
from serve.client.batch import segment_files
from serve.client.jobs import Job
from tests.serve.client.scripted_server import GOOD, answer, scripted
from tests.serve.conftest import ROOT
from train.data.image import read_image
from train.data.palette import overlay


@pytest.fixture
def folder(tmp_path, image, encode):
    """Five images, each another, and a file that is none of them."""
    images = tmp_path / "images"
    images.mkdir()
    for index in range(5):
        (images / f"{index}.png").write_bytes(encode(np.roll(image, index, 1)))
    (images / "notes.txt").write_text("no image", encoding="utf-8")
    return images


def ids_of(path):
    with Image.open(path) as picture:
        return np.asarray(picture)


def expected(path):
    return read_image(path).argmax(-1)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_folder(cli, server, folder, tmp_path):
    out = tmp_path / "new" / "masks"
    ended = cli(main, [server.url, str(folder), "--out", str(out), "--concurrency", "3"])
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.splitlines()[-1] == f"5 images: 5 written to {out}, 0 there before, 0 failed"
    assert "segmented 5/5" in ended.out
    assert "img/s 0:00 left" in ended.out
    assert names(out) == [f"{index}.png" for index in range(5)]
    for path in folder.glob("*.png"):
        np.testing.assert_array_equal(ids_of(out / path.name), expected(path))


def test_one_bad_image_is_one_line_and_the_rest_go_on(cli, server, folder, tmp_path):
    (folder / "2.png").write_bytes(b"nope")
    out, report = tmp_path / "masks", tmp_path / "report.json"
    ended = cli(main, [server.url, str(folder), "--out", str(out), "--json", str(report)])
    assert ended.code == 1
    (line,) = ended.err.splitlines()
    assert line.startswith(f"failed: {folder / '2.png'}: the 4 bytes are no image")
    assert "4 written" in ended.out
    assert "1 failed" in ended.out
    assert names(out) == ["0.png", "1.png", "3.png", "4.png"]
    records = json.loads(report.read_text())["images"]
    assert [record["image"] for record in records] == [str(folder / f"{index}.png") for index in range(5)]
    assert [record["result"] for record in records] == ["written"] * 2 + ["failed"] + ["written"] * 2
    assert records[2]["error"] in line
    assert records[0]["timings_ms"]["inference"] > 0


def test_what_is_there_is_not_asked_for_again(cli, server, folder, tmp_path):
    out = tmp_path / "masks"
    out.mkdir()
    (out / "3.png").write_bytes(b"mine")
    assert "4 written" in cli(main, [server.url, str(folder), "--out", str(out)]).out
    assert (out / "3.png").read_bytes() == b"mine"
    assert "5 there before" in cli(main, ["http://127.0.0.1:9", str(folder), "--out", str(out)]).out
    assert cli(main, [server.url, str(folder), "--out", str(out), "--overwrite"]).code == 0
    np.testing.assert_array_equal(ids_of(out / "3.png"), expected(folder / "3.png"))


def test_overlays_and_json(cli, server, folder, tmp_path):
    image = folder / "1.png"
    cli(main, [server.url, str(image), "--out", str(tmp_path), "--answer", "overlay", "--model", "bundle"])
    drawn = overlay(read_image(image), expected(image).astype(np.uint8), [(128, 0, 0), (0, 128, 0), (0, 0, 128)])
    assert np.abs(read_image(tmp_path / "1.jpg").astype(int) - drawn).mean() < 10
    cli(main, [server.url, str(image), "--out", str(tmp_path), "--answer", "json", "--classes", "red,2"])
    content = json.loads((tmp_path / "1.json").read_text())
    assert {entry["name"] for entry in content["classes"]} == {"red", "blue", None}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (["--classes", "gren"], "did you mean 'green'?"),
        (["--model", "x"], "no model 'x'"),
        (["--concurrency", "0"], "--concurrency 0: at least 1"),
        (["--deadline", "0"], "more than 0 seconds"),
        (["--confidence"], "add --answer json"),
        (["--confidence", "--answer", "json"], "gives no confidence"),
    ],
)
def test_what_concerns_all_images_is_said_once(cli, server, folder, tmp_path, change, said):
    ended = cli(main, [server.url, str(folder), "--out", str(tmp_path / "masks"), *change])
    assert ended.code == 2
    (line,) = ended.err.splitlines()
    assert said in line


def test_names_that_would_collide_are_said_before_the_start(cli, folder, tmp_path, image):
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG")
    (folder / "1.jpg").write_bytes(file.getvalue())
    ended = cli(main, ["http://127.0.0.1:9", str(folder), "--out", str(tmp_path / "masks")])
    assert ended.code == 2
    assert f"{folder / '1.jpg'} and {folder / '1.png'} would both become" in ended.err
    assert not (tmp_path / "masks").exists()


@pytest.mark.parametrize(
    ("source", "out", "said"),
    [("images", "images", "give another --out"), ("gone", "masks", "not there"), (".", "masks", "no images in it")],
)
def test_folders_that_cannot_be_meant(cli, folder, tmp_path, source, out, said):
    ended = cli(main, ["http://127.0.0.1:9", str(tmp_path / source), "--out", str(tmp_path / out)])
    assert ended.code == 2
    assert said in ended.err
    assert len(names(folder)) == 6


def test_a_server_that_goes_away_ends_it_with_the_way_on(cli, folder, tmp_path):
    png = answer(200, b"png", content_type="image/png")
    with scripted(GOOD, png, png, answer(401)) as server:
        ended = cli(main, [server.url, str(folder), "--out", str(tmp_path / "masks"), "--concurrency", "1"])
    assert ended.code == 2
    assert "2 of 5 images are written, the same command goes on" in ended.err
    assert names(tmp_path / "masks") == ["0.png", "1.png"]


def test_the_command_that_was_interrupted_goes_on(server, image, encode, tmp_path):
    images, out = tmp_path / "images", tmp_path / "masks"
    images.mkdir()
    contents = [encode(np.roll(image, index, 1)) for index in range(64)]
    for index in range(600):  # a busy machine must not end them before the signal comes
        (images / f"{index:03}.png").write_bytes(contents[index % len(contents)])
    line = [sys.executable, "-m", "serve.client", server.url, str(images), "--out", str(out), "--concurrency", "2"]
    running = subprocess.Popen(line, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while len(list(out.glob("*.png"))) < 5:
        assert running.poll() is None
        time.sleep(0.01)
    running.send_signal(signal.SIGINT)
    _, errors = running.communicate(timeout=20)
    assert running.returncode == 130
    assert errors.startswith("interrupted after ")
    assert errors.endswith("of 600 images: the same command goes on\n")
    assert 5 <= len(names(out)) < 600
    done = subprocess.run([*line, "--concurrency", "8"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1].endswith(" 0 failed")
    assert names(out) == names(images)
    for path in images.iterdir():
        np.testing.assert_array_equal(ids_of(out / path.name), expected(path))


def test_so_many_at_once_in_their_order(tmp_path):
    now, most, started = 0, 0, []

    async def ask(image):
        nonlocal now, most
        started.append(image)
        now += 1
        most = max(most, now)
        await asyncio.sleep(0.03 if len(started) % 3 else 0.01)
        now -= 1
        return Answer(bytearray(b"x"), "image/png", {})

    jobs = [Job(tmp_path / f"{index}.jpg", tmp_path / f"{index}.png") for index in range(12)]
    ended = []
    outcomes = asyncio.run(segment_files(jobs, ask, 3, ended.append))
    assert most == 3
    assert started == [job.image for job in jobs]
    assert [outcome.job for outcome in outcomes] == jobs
    assert [outcome.job for outcome in ended] != jobs
