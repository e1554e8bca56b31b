"""Tiny real datasets on disk, a tiny network, and command lines run in this process."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from PIL import Image

from train.command import command
from train.data.camvid import PALETTE as CAMVID_PALETTE
from train.data.camvid import VOID

HEIGHT, WIDTH = 64, 96
FOLDER_CLASSES = {"road": (128, 64, 128), "sky": (70, 130, 180), "car": (0, 0, 142)}

TINY = {
    "data.size": f"[{HEIGHT},{WIDTH}]",
    "model.architecture": "deeplabv3plus",
    "model.encoder": "lcnet_035",
    "model.decoder": '{"decoder_channels": 16}',
    "loop.batch_size": "2",
    "loop.workers": "0",
    "loop.threads": "1",
    "loop.log_every": "1",
}


class Scene(NamedTuple):
    """Blocks of classes, each class in its own colour, so that a network learns them in a few steps."""

    image: np.ndarray
    ids: np.ndarray


def scene(seed: int, palette: list[tuple[int, int, int]]) -> Scene:
    random = np.random.default_rng(seed)
    ids = random.integers(0, len(palette), (HEIGHT // 32, WIDTH // 32), np.uint8).repeat(32, 0).repeat(32, 1)
    noise = random.integers(-12, 13, (HEIGHT, WIDTH, 3))
    return Scene(np.clip(np.array(palette)[ids] + noise, 0, 255).astype(np.uint8), ids)


def write_camvid(root: Path, images: int = 6) -> Path:
    """SegNet's layout: a list file a split, and ids with 11 for void."""
    for number, split in enumerate(("train", "val")):
        lines = []
        for folder in (split, f"{split}annot"):
            (root / folder).mkdir(parents=True)
        for index in range(images):
            image, ids = scene(100 * number + index, CAMVID_PALETTE)
            ids[:4] = VOID
            Image.fromarray(image).save(root / split / f"{index}.png")
            Image.fromarray(ids).save(root / f"{split}annot" / f"{index}.png")
            lines.append(f"/SegNet/CamVid/{split}/{index}.png /SegNet/CamVid/{split}annot/{index}.png\n")
        (root / f"{split}.txt").write_text("".join(lines), encoding="utf-8")
    return root


def write_folder(root: Path, images: int = 6) -> Path:
    """``<split>/images``, ``<split>/masks`` with ids, and ``classes.txt`` with colours."""
    palette = list(FOLDER_CLASSES.values())
    for number, split in enumerate(("train", "val")):
        for folder in ("images", "masks"):
            (root / split / folder).mkdir(parents=True)
        for index in range(images):
            image, ids = scene(100 * number + index, palette)
            Image.fromarray(image).save(root / split / "images" / f"{index}.png")
            Image.fromarray(ids).save(root / split / "masks" / f"{index}.png")
    lines = [f"{name} {r} {g} {b}\n" for name, (r, g, b) in FOLDER_CLASSES.items()]
    (root / "classes.txt").write_text("".join(lines), encoding="utf-8")
    return root


@pytest.fixture(scope="session")
def camvid_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Read only: tests that break something make their own with `new_camvid`."""
    return write_camvid(tmp_path_factory.mktemp("data") / "camvid")


@pytest.fixture(scope="session")
def folder_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Read only: tests that break something make their own with `new_folder`."""
    return write_folder(tmp_path_factory.mktemp("data") / "folder")


@pytest.fixture
def new_camvid(tmp_path: Path) -> Path:
    return write_camvid(tmp_path / "camvid", images=2)


@pytest.fixture
def new_folder(tmp_path: Path) -> Path:
    return write_folder(tmp_path / "folder", images=2)


@pytest.fixture
def own_cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is kept of videos between commands is kept apart from the user's."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / ".cache"))


Options = Callable[..., list[str]]


@pytest.fixture(scope="session")
def options(camvid_root: Path) -> Options:
    """The command line of a tiny run on the tiny CamVid; keywords change it, ``__`` stands for a dot."""

    def make(name: str, out: Path, **changes: object) -> list[str]:
        settings = TINY | {"data.layout": "camvid", "data.root": str(camvid_root), "name": name, "out": str(out)}
        settings |= {key.replace("__", "."): str(value) for key, value in changes.items()}
        return [part for key, value in settings.items() for part in (f"--{key}", value)]

    return make


class Ended(NamedTuple):
    code: int
    out: str
    err: str


Cli = Callable[..., Ended]


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    """Run an entry point's ``main`` as its command line would be."""

    def run(main: Callable[[], None], arguments: list[str]) -> Ended:
        monkeypatch.setattr(sys, "argv", ["program", *arguments])
        with pytest.raises(SystemExit) as exit_:
            command(main)
        printed = capsys.readouterr()
        return Ended(int(exit_.value.code or 0), printed.out, printed.err)

    return run


@pytest.fixture(scope="session")
def teacher_run(options: Options, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A teacher that has seen the tiny CamVid for a few steps. Read only."""
    out = tmp_path_factory.mktemp("runs")
    return run_training(options("teacher", out, loop__steps=4, loop__save_every=2, loop__eval_every=2, seed=7))


@pytest.fixture(scope="session")
def student_run(options: Options, teacher_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A student distilled from `teacher_run` by three losses, one of them with an adapter. Read only."""
    fckd = '{"name": "fckd", "weight": 0.1, "on": "features"}'
    losses = f'[{{"name": "cross_entropy"}}, {{"name": "kd", "weight": 0.1}}, {fckd}]'
    changes = {"losses": losses, "teacher__run": teacher_run, "optimizer__lr": 0.02, "optimizer__warmup_steps": 2}
    arguments = options("student", tmp_path_factory.mktemp("runs"), loop__steps=24, loop__eval_every=12, **changes)
    return run_training(arguments)


def run_training(arguments: list[str]) -> Path:
    from train.config import RunConfig
    from train.recipe import train
    from train.settings import load_config

    return train(load_config(RunConfig, "test", arguments)).root
