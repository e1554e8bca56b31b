"""The comparison with other servers, on a tiny bundle: that it compares what it says."""

import json
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from export.bundle import load_bundle
from serve.benchmark.load import Exchange
from tests.peers.bundle import Bundle
from tests.peers.compare import main
from tests.peers.overload import _recovered

SHORT = ("--rounds", "1", "--seconds", "0.2")


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Colours in blocks of 8 x 8: JPEG leaves no doubt which channel is the largest."""
    folder = tmp_path_factory.mktemp("images")
    random = np.random.default_rng(0)
    for number in range(2):
        blocks = np.eye(3, dtype=np.uint8)[random.integers(0, 3, (12, 16))] * 200
        cv2.imwrite(str(folder / f"{number}.jpg"), blocks.repeat(8, 0).repeat(8, 1), [cv2.IMWRITE_JPEG_QUALITY, 98])
    return folder


def run(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> None:
    monkeypatch.setattr(sys, "argv", ["tests.peers.compare", *map(str, arguments)])
    main()


def test_a_round_against_plain_fastapi(
    monkeypatch: pytest.MonkeyPatch, bundle: Path, images: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    run(monkeypatch, bundle, "--images", images, "--out", tmp_path, "--peers", "plain:2:1", "--overload", "0", *SHORT)
    found = json.loads((tmp_path / "peers.json").read_text())
    assert set(found["levels"]) == {"ours", "plain 2x1"}
    for levels in found["levels"].values():
        for clients in ("1", "8", "32"):
            (level,) = levels[clients]
            assert level["throughput"] > 10
            assert level["cpu_ms"] > 0
            assert level["failed"] == 0
    assert len(found["bare"]) == 2
    assert (tmp_path / "peers.png").read_bytes().startswith(b"\x89PNG")
    printed = capfd.readouterr()
    assert "ours, plain 2x1: the same class maps of 2 images" in printed.err
    assert "| plain 2x1 | 32 |" in printed.out


@pytest.mark.slow
def test_litserve_and_an_overload(monkeypatch: pytest.MonkeyPatch, bundle: Path, images: Path, tmp_path: Path) -> None:
    run(
        monkeypatch, bundle, "--images", images, "--out", tmp_path, "--peers", "LitServe:1:1", "--overload", "3", *SHORT
    )
    found = json.loads((tmp_path / "peers.json").read_text())
    assert found["levels"]["LitServe 1x1"]["8"][0]["failed"] == 0
    overload = found["overload"]
    assert overload["failed"] == {}
    assert overload["offered"] == pytest.approx(2 * overload["capacity"])
    assert len(overload["memory_mib"]) == 3


def answers(began: float, ended: float, rate: float) -> list[Exchange]:
    return [Exchange(0, 0, 100 + when, "ok", "") for when in np.arange(began, ended, 1 / rate)]


def test_a_server_is_back_when_it_stays_fast() -> None:
    slow_then_fast = answers(0, 1.5, 20) + answers(1.5, 6, 100)
    assert _recovered(slow_then_fast, 100, 100) == 2.0
    assert _recovered(answers(0, 6, 80), 100, 100) is None
    hiccup = answers(0, 0.5, 100) + answers(1.0, 6, 100)
    assert _recovered(hiccup, 100, 100) == 1.5


def test_peers_serve_the_bundle_as_it_is(bundle: Path) -> None:
    read, ours = Bundle.read(bundle), load_bundle(bundle)
    assert read.graph == ours.file("onnx")
    assert (read.height, read.width) == (ours.manifest.input.height, ours.manifest.input.width)
