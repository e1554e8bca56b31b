"""A batch or a split that several processes share is learnt from and scored as in one."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.conftest import write_camvid
from tests.train.data.moving_clips import moving_frames, write_frames
from tests.train.started import in_processes
from tests.train.taught import Step, distance, steps_and_counts
from train import processes
from train.checkpoint_files import load_weights
from train.metrics import ConfusionMatrix, scores
from train.run_directory import RunDirectory

Options = Callable[..., list[str]]
ROOT = Path(__file__).parents[2]

# No dropout: it differs from process to process.
NETWORK = {
    "model__architecture": "unet",
    "model__encoder_depth": 4,
    "model__decoder": '{"decoder_channels": [16, 16, 16, 16]}',
    "loop__batch_size": 4,
    "losses": '[{"name": "cross_entropy"}, {"name": "kd"}, {"name": "fckd", "on": "features"}, {"name": "dist"}]',
}


@pytest.fixture(scope="module")
def twenty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_camvid(tmp_path_factory.mktemp("twenty") / "camvid", images=20)


Seen = dict[int, list[tuple[list[Step], np.ndarray]]]
"""By the number of processes, what each of them gives."""


@pytest.fixture(scope="module")
def seen(
    options: Options,
    teacher_run: Path,
    student_run: Path,
    twenty: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Seen:
    out = tmp_path_factory.mktemp("out")
    plain = options("a", out, teacher__run=teacher_run, **NETWORK)
    write_frames(out / "drive", moving_frames(5))
    mixed = [*plain, "--data.unlabelled", str(out / "drive"), "--data.pool.share", "0.25"]
    each = {2: [plain, [*plain, "--no-loop.sync_batchnorm"], mixed], 4: [plain]}
    started = {
        count: in_processes(count, steps_and_counts, tmp_path_factory.mktemp(str(count)), steps, student_run, twenty)
        for count, steps in each.items()
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(out))
        return {1: [steps_and_counts([plain, mixed], student_run, twenty)], **started}


@pytest.mark.parametrize("count", [2, 4])
def test_processes_share_the_batch_of_one(seen: Seen, count: int) -> None:
    (whole,) = (steps[0].images for steps, _ in seen[1])
    assert torch.equal(torch.cat([steps[0].images for steps, _ in seen[count]]), whole)


@pytest.mark.parametrize("count", [2, 4])
def test_processes_learn_what_one_does(seen: Seen, count: int) -> None:
    expected = seen[1][0][0][0]
    assert {name.split(".")[0] for name in expected.gradients} == {"model", "losses"}
    for steps, _ in seen[count]:
        torch.testing.assert_close(steps[0].terms, expected.terms, rtol=1e-6, atol=1e-9)
        assert distance(steps[0].gradients, expected.gradients) < 1e-6
        torch.testing.assert_close(steps[0].statistics, expected.statistics, rtol=1e-6, atol=1e-9)


def test_images_without_labels_are_shared_as_the_others_are(seen: Seen) -> None:
    """One of four: the first process has only labelled ones."""
    expected, found = seen[1][0][0][1], [steps[2] for steps, _ in seen[2]]
    assert torch.equal(torch.cat([step.images for step in found]), expected.images)
    assert not torch.equal(expected.images, seen[1][0][0][0].images)
    for step in found:
        torch.testing.assert_close(step.terms, expected.terms, rtol=1e-6, atol=1e-9)
        assert distance(step.gradients, expected.gradients) < 1e-6


def test_without_synchronised_batch_norm_all_keep_the_statistics_of_the_first(seen: Seen) -> None:
    first, *others = [steps[1].statistics for steps, _ in seen[2]]
    assert not all(map(torch.equal, first, seen[1][0][0][0].statistics))
    assert all(all(map(torch.equal, first, other)) for other in others)


@pytest.mark.parametrize("count", [2, 4])
def test_scores_are_the_same_to_the_last_digit(seen: Seen, count: int) -> None:
    expected = seen[1][0][1]
    assert expected.sum() == 20 * 60 * 96  # each image once, without its void rows
    for _, counts in seen[count]:
        assert np.array_equal(counts, expected)
        assert _miou(counts) == _miou(expected)


def _miou(counts: np.ndarray) -> float:
    matrix = ConfusionMatrix(len(counts))
    matrix.counts = counts
    return scores(matrix, [str(number) for number in range(len(counts))]).miou


def test_one_process_alone_is_all_of_them() -> None:
    value = torch.arange(3.0, requires_grad=True)
    for same in (processes.total(value), processes.all_images(value), processes.own_images(value)):
        assert torch.equal(same, value)
    assert processes.part_of_mean(value, torch.tensor(0.0)) is value
    assert (processes.largest(3), processes.gathered([1]), processes.from_first("a")) == (3, [1], "a")
    assert processes.is_first()


def test_a_batch_that_cannot_be_shared_evenly_is_refused(cli, options: Options, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    from train import distill

    ended = cli(distill.main, options("a", tmp_path, loop__batch_size=4, loop__accumulate=3))
    assert ended.code == 2
    assert "loop.batch_size: 4: 1 processes with loop.accumulate 3 share it evenly: choose a multiple of 3" in ended.err


def torchrun(arguments: list[str]) -> subprocess.CompletedProcess[str]:
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command = [*launcher, "-m", "train.distill", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_torchrun_trains_and_only_the_first_process_prints_and_writes(options: Options, tmp_path: Path) -> None:
    arguments = options("two", tmp_path, loop__steps=2, loop__eval_every=2, trackers="[]")
    ended = torchrun(arguments)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.count("two 2/2") == ended.stdout.count("report: ") == ended.stdout.count("run: ") == 1
    records = RunDirectory(tmp_path / "two").records()
    assert [record["step"] for record in records if "losses" in record] == [1, 2]
    assert len([record for record in records if "miou" in record]) == 1


@pytest.mark.slow
@pytest.mark.parametrize("whose", ["that of all", "that of one"])
def test_an_error_is_one_line(options: Options, tmp_path: Path, whose: str) -> None:
    changes = {"loop__batch_size": 3} if whose == "that of all" else {}
    (tmp_path / "two").mkdir()
    (tmp_path / "two" / "file").touch()
    ended = torchrun(options("two", tmp_path, **changes))
    assert ended.returncode != 0
    (line,) = [line for line in ended.stderr.splitlines() if line.startswith("error:")]
    expected = "choose a multiple of 2" if whose == "that of all" else "this run exists: add --resume"
    assert expected in line
    assert "of 2)" in line


@pytest.mark.slow
def test_a_resumed_run_of_two_processes_is_bit_identical(options: Options, teacher_run: Path, tmp_path: Path) -> None:
    """With dropout and a memory, on steps that no other number of processes would repeat."""
    cirkd = {"name": "cirkd", "student_tap": "stride:16", "teacher_tap": "stride:16", "pixel_memory": 40}
    losses = json.dumps([{"name": "cross_entropy"}, {"name": "mgd"}, cirkd])
    changes = {"losses": losses, "teacher__run": teacher_run, "loop__batch_size": 4, "loop__save_every": 2}
    whole, part = (options(name, tmp_path, loop__steps=4, loop__eval_every=2, **changes) for name in ("whole", "part"))
    assert torchrun(whole).returncode == 0
    assert torchrun(part).returncode == 0
    run = RunDirectory(tmp_path / "part")
    for link in ("last", "best"):
        (run.checkpoints / link).unlink()
    later = run.step(4)
    for file in later.iterdir():
        file.unlink()
    later.rmdir()
    assert torchrun([*part, "--resume"]).returncode == 0
    ours, theirs = (load_weights(RunDirectory(tmp_path / name).checkpoint("last")) for name in ("part", "whole"))
    assert all(torch.equal(ours[key], theirs[key]) for key in theirs)
