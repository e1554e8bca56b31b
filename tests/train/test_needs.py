"""What a loss needs and a run cannot give is said before the first step, in one line, with the remedy."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.conftest import scene
from train import distill
from train.data.camvid import CLASSES, PALETTE
from train.run_directory import RunDirectory

Options = Callable[..., list[str]]
MLKD = '[{"name": "cross_entropy"}, {"name": "mlkd", "stages": [4, 8]}]'
CONSISTENCY = '{"name": "mlkd", "low_weight": 0, "mid_weight": 0, "high_weight": 0, "consistency_weight": 1}'


@pytest.fixture
def clips_root(tmp_path: Path) -> Path:
    """A labelled val clip and an unlabelled train clip, three frames each."""
    root = tmp_path / "clips"
    for number, split in enumerate(("train", "val")):
        for folder in ("clips/drive", "masks/drive")[: number + 1]:
            (root / split / folder).mkdir(parents=True)
        image, ids = scene(number, PALETTE)
        for frame in range(3):
            moved = np.roll(image, 2 * frame, axis=1)
            Image.fromarray(moved).save(root / split / "clips/drive" / f"{frame:03d}.png")
            if split == "val":
                Image.fromarray(np.roll(ids, 2 * frame, axis=1)).save(root / split / "masks/drive" / f"{frame:03d}.png")
    lines = [f"{name} {r} {g} {b}" for name, (r, g, b) in zip(CLASSES, PALETTE, strict=True)]
    (root / "classes.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return root


@pytest.mark.parametrize(
    ("losses", "changes", "said"),
    [
        (MLKD, {"data.neighbour.provider": "dis"}, "has no neighbouring frames: set it to affine"),
        (MLKD, {"data.neighbour.provider": "raft"}, "has no neighbouring frames: set it to affine"),
        ('[{"name": "fitnet", "student_tap": "module:decoder.nothing"}]', {}, "student: tap 'module:decoder.nothing'"),
        ('[{"name": "fitnet", "student_tap": "module:decoder.nothing"}]', {}, "did you mean 'module:decoder."),
        ('[{"name": "at", "teacher_tap": "stride:1"}]', {}, "teacher: tap 'stride:1': the network does not show it"),
        ('[{"name": "fitnet", "teacher_tap": "module:encoder"}]', {}, "not a map (N, D, h, w): choose another module"),
        ('[{"name": "fitnet", "student_tap": "stage4"}]', {}, "student_tap"),
        ('[{"name": "cross_entropy", "frames": "both"}]', {}, "the second frame has no label"),
        ('[{"name": "kd", "images": "unlabelled"}]', {}, "kd: images: unlabelled: all images have labels"),
        ('[{"name": "kd"}]', {"data.pool.confidence": "0.5"}, "data.pool: it says how images without labels are used"),
        ('[{"name": "kd"}]', {"teacher.scales": "[0]"}, "teacher.scales.0: Input should be greater than 0"),
        (
            '[{"name": "kd"}]',
            {"teacher.kind": "onxn"},
            "command line: teacher.kind: there is no 'onxn': did you mean 'onnx'?",
        ),
        (
            '[{"name": "cskd", "mode": "released"}]',
            {},
            "batch_size: 2: under its settings cskd compares the images of a",
        ),
    ],
)
def test_one_line_before_the_first_step(  # type: ignore[no-untyped-def]
    options: Options, teacher_run: Path, tmp_path: Path, cli, losses: str, changes: dict[str, str], said: str
) -> None:
    changed = [part for key, value in changes.items() for part in (f"--{key}", value)]
    ended = cli(distill.main, [*options("a", tmp_path, losses=losses, teacher__run=teacher_run), *changed])
    assert ended.code == 2
    assert ended.err.count("\n") == 1
    assert said in ended.err
    assert not (tmp_path / "a").exists()


def test_unlabelled_clips_teach_all_but_losses_of_labels(  # type: ignore[no-untyped-def]
    options: Options, clips_root: Path, teacher_run: Path, tmp_path: Path, cli
) -> None:
    clips = {"data__layout": "clips", "data__root": clips_root, "teacher__run": teacher_run, "loop__steps": 2}
    ended = cli(distill.main, options("a", tmp_path, losses=MLKD, **clips))
    assert ended.code == 2
    assert "losses: cross_entropy: needs labels and clips/train has none" in ended.err
    without_labels = f'[{{"name": "kd", "frames": "both"}}, {CONSISTENCY}]'
    assert cli(distill.main, options("a", tmp_path, losses=without_labels, **clips)).code == 0
    (first, _) = [line["losses"] for line in RunDirectory(tmp_path / "a").records() if "losses" in line]
    assert first.keys() == {"kd", "mlkd.consistency"}
    assert all(value > 0 for value in first.values())


def test_an_unlabelled_split_cannot_choose_checkpoints(  # type: ignore[no-untyped-def]
    options: Options, clips_root: Path, tmp_path: Path, cli
) -> None:
    clips = {"data__layout": "clips", "data__root": clips_root, "data__train_split": "val", "data__val_split": "train"}
    ended = cli(distill.main, options("a", tmp_path, **clips))
    assert ended.code == 2
    assert "data.val_split: clips/train has no labels to score on" in ended.err
