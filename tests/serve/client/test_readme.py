"""What the README shows can be copied and works on a real server."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import serve.client
from tests.serve.conftest import ROOT
from tests.serve.video.clips import clip

README = Path(serve.client.__file__).with_name("README.md").read_text(encoding="utf-8")
NODE, COMPILER = shutil.which("node"), shutil.which("g++")
NODE_VERSION = subprocess.run([NODE, "--version"], capture_output=True, text=True).stdout.strip("v\n") if NODE else "0"


def blocks(language):
    found = re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)
    assert found, f"no {language} in the README"
    return found


@pytest.fixture
def street(image, tmp_path):
    """The folder that the examples run in; the classes of its image, as the server sees them."""
    Image.fromarray(image).save(tmp_path / "street.jpg", quality=95)
    (tmp_path / "streets").mkdir()
    for index in range(3):
        shutil.copy(tmp_path / "street.jpg", tmp_path / "streets" / f"{index}.jpg")
    return tmp_path


def run(server, street, command, code):
    """Run an example that speaks to the address of the README."""
    code = code.replace("127.0.0.1:8000", server.url.removeprefix("http://"))
    assert server.url.removeprefix("http://") in code
    environment = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}
    done = subprocess.run([*command, code], cwd=street, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def ids_from(server, street):
    body = (street / "street.jpg").read_bytes()
    answer = server.client.post("/segment", content=body, headers={"Accept": "application/octet-stream"})
    return np.frombuffer(answer.content, np.uint8).reshape(48, 64)


def test_python(server, street):
    one, several, live, video = blocks("python")
    lines = run(server, street, [sys.executable, "-W", "error", "-c"], one).splitlines()
    assert lines[0] == "(48, 64) uint8"
    assert set(eval(lines[1])) == {"red", "green", "blue"}
    assert run(server, street, [sys.executable, "-W", "error", "-c"], several).splitlines() == [lines[1]] * 3
    classes, *masks = run(server, street, [sys.executable, "-W", "error", "-c"], live).splitlines()
    assert classes == "['red', 'green', 'blue']"
    assert [line.split(" {")[0] for line in masks] == [f"{frame} (48, 64)" for frame in range(3)]
    (street / "drive.mp4").write_bytes(clip(3))
    frames = run(server, street, [sys.executable, "-W", "error", "-c"], video).splitlines()
    assert frames == ["0 0.0 (48, 64)", "2 0.08 (48, 64)"]


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_curl(server, street):
    (lines,) = blocks("sh")
    run(server, street, ["/bin/sh", "-ec"], lines)
    with Image.open(street / "mask.png") as mask, Image.open(street / "overlay.jpg") as overlay:
        np.testing.assert_array_equal(np.asarray(mask), ids_from(server, street))
        assert (overlay.format, overlay.size) == ("JPEG", (64, 48))
    assert '"height":48' in (street / "street.json").read_text()


@pytest.mark.skipif(NODE is None, reason="node is not installed")
def test_javascript(server, street):
    code, _ = blocks("javascript")
    names = ["red", "green", "blue"]
    printed = run(server, street, [str(NODE), "--input-type=module", "--eval"], code)
    assert printed.split() == ["48", "64", names[ids_from(server, street)[0, 0]]]


@pytest.mark.skipif(NODE is None or int(NODE_VERSION.split(".")[0]) < 20, reason="node 20 is not installed")
def test_live_javascript(server, street):
    _, code = blocks("javascript")
    first = ["red", "green", "blue"][ids_from(server, street)[0, 0]]
    command = [str(NODE), "--experimental-websocket", "--input-type=module", "--eval"]  # which node 22 does not need
    printed = run(server, street, command, code)
    masks = [f"{frame} 48 64 {first}" for frame in range(2)]
    assert printed.splitlines() == [*masks, f"2 48 64 {first}", "closed 1005 "]


@pytest.mark.skipif(COMPILER is None, reason="g++ is not installed")
def test_cpp(server, street):
    (code,) = blocks("cpp")
    (street / "segment.cpp").write_text(code.replace("http://127.0.0.1:8000", server.url), encoding="utf-8")
    include = subprocess.run(
        [str(COMPILER), "-E", "-include", "curl/curl.h", "-xc++", "/dev/null"], capture_output=True
    )
    if include.returncode != 0:
        pytest.skip("libcurl's headers are not installed")
    build = [str(COMPILER), "-std=c++17", "-Wall", "-Wextra", "-Werror", "segment.cpp", "-lcurl", "-o", "segment"]
    subprocess.run(build, cwd=street, check=True)
    printed = subprocess.run(["./segment"], cwd=street, capture_output=True, text=True, check=True).stdout
    assert printed == f"48 x 64, upper left: class {ids_from(server, street)[0, 0]}\n"
