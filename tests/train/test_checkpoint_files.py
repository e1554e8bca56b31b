"""Files of a checkpoint: whole ones are read, damaged ones refused, and no code in them is ever run."""

import json
import os
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from train.checkpoint_files import DamagedError, load_state, load_weights, write_files
from train.errors import UserError
from train.run_directory import RunDirectory

WEIGHTS = {"w": torch.arange(6.0).reshape(2, 3)}


class Hostile:
    """Makes a file when it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self._marker = marker

    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, (f"touch {self._marker}",)


def refusal(read: Callable[[Path], object], folder: Path) -> str:
    with pytest.raises(DamagedError) as raised:
        read(folder)
    assert "\n" not in str(raised.value)
    return str(raised.value)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    write_files(tmp_path, WEIGHTS, {"step": 3, "rng": torch.get_rng_state(), "averaged": None})
    assert torch.equal(load_weights(tmp_path)["w"], WEIGHTS["w"])
    state = load_state(tmp_path)
    assert (state["step"], state["averaged"]) == (3, None)
    assert torch.equal(state["rng"], torch.get_rng_state())
    checksums = json.loads((tmp_path / "sha256.json").read_text(encoding="utf-8"))
    assert {name: len(digest) for name, digest in checksums.items()} == {"model.safetensors": 64, "state.pt": 64}


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("inside", [True, False])
def test_code_in_a_state_is_refused_and_not_run(tmp_path: Path, inside: bool, zipped: bool) -> None:
    marker = tmp_path / "ran"
    bad = Hostile(marker)
    torch.save(
        {"step": 1, "optimizer": bad} if inside else bad, tmp_path / "state.pt", _use_new_zipfile_serialization=zipped
    )
    message = refusal(load_state, tmp_path)
    assert ("it wants to run posix.system; nothing was run" if zipped else "not a zip file") in message
    assert not marker.exists()
    torch.load(tmp_path / "state.pt", weights_only=False)
    assert marker.exists(), "it would not have run anyway: this proves nothing"


def test_an_archive_that_unpacks_to_more_than_its_size_is_refused(tmp_path: Path) -> None:
    torch.save({"step": 1, "zeros": torch.zeros(1_000_000)}, tmp_path / "honest.pt")
    with (
        zipfile.ZipFile(tmp_path / "honest.pt") as honest,
        zipfile.ZipFile(tmp_path / "state.pt", "w", zipfile.ZIP_DEFLATED) as bomb,
    ):
        for entry in honest.infolist():
            bomb.writestr(entry.filename, honest.read(entry))
    assert (tmp_path / "state.pt").stat().st_size < 10_000
    assert "it would unpack to more than its size" in refusal(load_state, tmp_path)


def test_a_state_of_something_else_is_refused(tmp_path: Path) -> None:
    torch.save([1, 2], tmp_path / "state.pt")
    assert "it holds no state of a training" in refusal(load_state, tmp_path)


def header(text: bytes, length: int | None = None) -> bytes:
    return struct.pack("<Q", len(text) if length is None else length) + text


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff" * 8,
        header(b"{}", length=10**12),
        header(b"{" + b" " * 1000, length=90_000_000),
        header(b'{"w": {"dtype": "F32", "shape": [1000000000000], "data_offsets": [0, 4000000000000]}}') + bytes(16),
        header(b'{"w": {"dtype": "F32", "shape": [1000000000000], "data_offsets": [0, 16]}}') + bytes(16),
    ],
)
def test_weights_that_claim_more_than_there_is_are_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "model.safetensors").write_bytes(content)
    assert "model.safetensors: cannot be read (" in refusal(load_weights, tmp_path)


def test_a_config_with_code_is_refused_and_not_run(tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    config = f"name: !!python/object/apply:os.system ['touch {marker}']\n"
    (tmp_path / "config.yaml").write_text(config, encoding="utf-8")
    with pytest.raises(UserError, match="not valid YAML"):
        RunDirectory(tmp_path).config()
    assert not marker.exists()


def test_a_file_in_place_of_a_run_is_not_even_opened(tmp_path: Path) -> None:
    marker, file = tmp_path / "ran", tmp_path / "teacher.pth"
    torch.save(Hostile(marker), file)
    with pytest.raises(UserError, match="not a run"):
        RunDirectory(file).config()
    assert not marker.exists()
