"""`python -m train.data.streets` writes pictures that other programs can read."""

import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from train.data.image import read_image
from train.data.streets import PALETTE, Clip
from train.data.streets.__main__ import main


def _run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
    monkeypatch.setattr(sys, "argv", ["streets", *arguments])
    main()


def test_writes_images_masks_flow_and_a_contact_sheet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _run(monkeypatch, "--out", str(tmp_path), "--clips", "2", "--frames", "2", "--seed", "7", "--size", "48", "64")
    names = ["00007_00.png", "00007_62.png", "00008_00.png", "00008_62.png"]
    for folder in ("images", "masks", "flow"):
        assert sorted(path.name for path in (tmp_path / folder).iterdir()) == names
    frame = Clip(7, (48, 64)).frame(62)
    assert np.array_equal(read_image(tmp_path / "images" / names[1]), frame.image)
    with Image.open(tmp_path / "masks" / names[1]) as mask:
        assert mask.mode == "P"
        assert np.array_equal(np.asarray(mask), frame.label)
        assert np.array_equal(np.asarray(mask.convert("RGB")), np.array(PALETTE)[frame.label])
    assert read_image(tmp_path / "contact_sheet.png").shape == (2 * 48, 3 * 64, 3)


def test_says_what_is_wrong_with_a_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as exit_:
        _run(monkeypatch, "--out", str(tmp_path), "--clips", "0")
    assert exit_.value.code == 2
    assert "argument --clips: 0 is less than 1" in capsys.readouterr().err
