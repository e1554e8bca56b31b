"""`python -m serve.benchmark --protocol kserve`: what is sent is KServe v2, what comes back is the class map."""

import contextlib
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest

from serve.benchmark.__main__ import main
from serve.kserve import Model, infer
from train.errors import UserError

FEW = ("--samples", "5", "--warmup", "2")
SERVER = Path(__file__).with_name("kserve_server.py")


@contextlib.contextmanager
def serving(bundle: Path, *options: str) -> Iterator[str]:
    """A server process on a free port: its URL."""
    command = [sys.executable, str(SERVER), str(bundle / "model.onnx"), *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


@pytest.fixture(scope="module")
def url(bundle: Path) -> Iterator[str]:
    with serving(bundle) as url:
        yield url


@pytest.fixture
def benchmark(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    def run(*arguments: object) -> None:
        monkeypatch.setattr(sys, "argv", ["serve.benchmark", *map(str, arguments)])
        main()

    return run


@pytest.fixture
def street(tmp_path: Path, encode: Callable[..., bytes], image: np.ndarray) -> Path:
    path = tmp_path / "street.png"
    path.write_bytes(encode(image.repeat(2, 0).repeat(2, 1)))
    return path


def test_the_class_ids_come_back(url: str, image: np.ndarray) -> None:
    with httpx.Client(base_url=url) as client:
        ids = infer(client, Model("model", "image", "mask", 48, 64), image[None])
    np.testing.assert_array_equal(ids, image.argmax(-1)[None])


def test_the_way_from_image_to_class_ids_is_timed(
    benchmark: Callable[..., None], url: str, street: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("--url", url, "--protocol", "kserve", "--model", "model", "--image", street, *FEW)
    benchmark(*arguments, "--json", tmp_path / "times.json")
    report = json.loads((tmp_path / "times.json").read_text())
    rows = {row["stage"]: row for row in report["measurements"]}
    assert report["target"] == f"model at {url}"
    assert list(rows) == ["decode", "preprocess", "HTTP infer", "postprocess", "whole request"]
    assert rows["preprocess"]["scope"].startswith("in the client: one image to the network's 48x64")
    for row in rows.values():
        assert (row["warmup"], row["samples"], row["batch"]) == (2, 5, 1)
        assert 0 < row["p50_ms"] <= row["p90_ms"] <= row["p99_ms"]
    assert rows["whole request"]["p99_ms"] >= rows["HTTP infer"]["p50_ms"]
    assert f"model at {url}" in capsys.readouterr().out.replace("\n", "")


def test_load_is_of_tensors(benchmark: Callable[..., None], url: str, street: Path, tmp_path: Path) -> None:
    arguments = ("--url", url, "--protocol", "kserve", "--model", "model", "--image", street, *FEW)
    load = ("--concurrency", "2", "--window", "0.2", "--windows", "3")
    benchmark(*arguments, *load, "--json", tmp_path / "load.json")
    (point,) = json.loads((tmp_path / "load.json").read_text())["points"]
    assert point["errors"] == {}
    assert point["throughput"] > 10
    assert point["stages_ms"] == {}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--url", "URL", "--protocol", "kserve"), "needs --url URL and --model NAME"),
        (("BUNDLE", "--protocol", "kserve", "--model", "model"), "needs --url URL and --model NAME"),
        (("BUNDLE", "--model", "model"), "--model model: for a server at --url"),
        (("--url", "URL", "--protocol", "kserve", "--model", "other"), r"status 404: .*is not found"),
        (("--url", "http://127.0.0.1:9", "--protocol", "kserve", "--model", "model"), "is a KServe v2 server running"),
        (
            ("--url", "URL", "--protocol", "kserve", "--model", "model", "--batch", "2"),
            "--batch and --server are for a BUNDLE",
        ),
    ],
)
def test_a_mistake_is_one_line(
    benchmark: Callable[..., None], bundle: Path, url: str, street: Path, arguments: tuple[str, ...], message: str
) -> None:
    known = {"BUNDLE": bundle, "URL": url}
    with pytest.raises(UserError, match=message) as error:
        benchmark(*(known.get(argument, argument) for argument in arguments), "--image", street, *FEW)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--datatype", "FP32"), r"takes FP32 \[-1, 48, 64, 3\], not uint8 RGB of one size: .*export\.triton_server"),
        (("--height", "-1"), r"takes UINT8 \[-1, -1, 64, 3\], not uint8 RGB of one size"),
        (("--json-only",), "no class ids of 48x64 as bytes in the answer"),
    ],
)
def test_a_server_that_does_not_fit(
    benchmark: Callable[..., None], bundle: Path, street: Path, options: tuple[str, ...], message: str
) -> None:
    with serving(bundle, *options) as url, pytest.raises(UserError, match=message):
        benchmark("--url", url, "--protocol", "kserve", "--model", "model", "--image", street, *FEW)


def test_our_own_server_is_no_kserve_server(benchmark: Callable[..., None], server: object, street: Path) -> None:
    url = server.url  # type: ignore[attr-defined]
    with pytest.raises(UserError, match="/v2/models/model: status 404"):
        benchmark("--url", url, "--protocol", "kserve", "--model", "model", "--image", street, *FEW)
