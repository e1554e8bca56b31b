"""What a run survives: whatever ended it, with --resume it becomes the run that was never ended, bit for bit."""

import json
import random
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.train.lives import Blow, Ended, life
from tests.train.same import assert_same_run
from train.config import RunConfig
from train.errors import UserError
from train.recipe import train
from train.resumption import Resumption
from train.run_directory import RunDirectory
from train.session import open_session
from train.settings import load_config

Options = Callable[..., list[str]]
Damage = Callable[[Path], object]

STEPS = 6
FIRST_LINE, FOURTH_LINE = 12, 32
"""The changes of files that are these lines in metrics.jsonl."""
LOSSES = [
    {"name": "cross_entropy"},
    {"name": "kd", "weight": 0.5, "schedule": {"kind": "warmup", "steps": 4}},
    {"name": "cirkd", "pixel_memory": 64, "region_memory": 16, "pixel_contrast": 32, "region_contrast": 8},
]


def run(arguments: list[str]) -> RunDirectory:
    return train(load_config(RunConfig, "test", arguments))


@pytest.fixture(scope="module")
def changes(teacher_run: Path) -> dict[str, object]:
    """A memory, a schedule of a loss and an average are part of the state."""
    return {
        "losses": json.dumps(LOSSES),
        "teacher__run": teacher_run,
        "optimizer__ema_decay": 0.9,
        "loop__steps": STEPS,
        "loop__save_every": 2,
        "loop__eval_every": 3,
        "trackers": "[]",
    }


@pytest.fixture(scope="module")
def whole(options: Options, changes: dict[str, object], tmp_path_factory: pytest.TempPathFactory) -> RunDirectory:
    """The run that was never ended. It has checkpoints of the steps 3 (best), 4 and 6. Read only."""
    return run(options("whole", tmp_path_factory.mktemp("whole"), **changes))


@pytest.fixture
def arguments(options: Options, changes: dict[str, object], tmp_path: Path) -> list[str]:
    """The same training again, in another place."""
    return [*options("again", tmp_path, **changes), "--resume"]


@pytest.fixture
def again(whole: RunDirectory, tmp_path: Path) -> RunDirectory:
    """A copy of the whole run, where `arguments` look for theirs, to be damaged."""
    shutil.copytree(whole.root, tmp_path / "again", symlinks=True)
    return RunDirectory(tmp_path / "again")


def snapshot(root: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


# Seeds of when it is killed: at changes of its files and folders, so also between a write and a rename.
@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(1, 8))])
def test_killed_again_and_again(arguments: list[str], whole: RunDirectory, tmp_path: Path, seed: int) -> None:
    draw, kills = random.Random(seed), []
    ended = Ended(-signal.SIGKILL, "", "")
    while ended.code:
        assert ended.code == -signal.SIGKILL, f"{kills}: {ended.err}"
        kills.append(draw.randint(8, 24))
        ended = life(arguments, tmp_path, Blow(kills[-1]))
    print(f"killed before changes {kills[:-1]}")  # pytest shows it if what follows fails
    assert len(kills) > 3
    assert_same_run(RunDirectory(tmp_path / "again"), whole)


@pytest.mark.slow
@pytest.mark.timeout(1800)  # 2 minutes on two free cores
def test_killed_at_every_change_of_its_files(arguments: list[str], whole: RunDirectory, tmp_path: Path) -> None:
    change, ended = 0, Ended(-signal.SIGKILL, "", "")
    while ended.code == -signal.SIGKILL:
        shutil.rmtree(tmp_path / "again", ignore_errors=True)
        change += 1
        ended = life(arguments, tmp_path, Blow(change))
        resumed = life(arguments, tmp_path)
        assert resumed.code == 0, f"killed before change {change}: {resumed.err}"
        assert_same_run(RunDirectory(tmp_path / "again"), whole)
    assert ended.code == 0
    assert change > 40, "nothing was killed: this proves nothing"


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:1000])


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def resumption(arguments: list[str]) -> Resumption:
    found = open_session(load_config(RunConfig, "test", arguments)).resumption
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("file", "damage", "complaint"),
    [
        ("state.pt", cut, "its content is not what was written: its sha256 differs"),
        ("model.safetensors", flip, "its content is not what was written: its sha256 differs"),
        ("model.safetensors", Path.unlink, "it is missing"),
        ("sha256.json", lambda path: path.write_text("{", encoding="utf-8"), "it has no sha256 of state.pt"),
        ("sha256.json", lambda path: path.write_text("{}", encoding="utf-8"), "it has no sha256 of state.pt"),
    ],
)
def test_a_damaged_checkpoint_is_passed_over(
    arguments: list[str], again: RunDirectory, file: str, damage: Damage, complaint: str
) -> None:
    damaged = again.step(6) / file
    damage(damaged)
    assert resumption(arguments).lines("again") == [
        f"skipped: {damaged}: {complaint}",
        f"again resumed at step 4 from {again.step(4)}",
    ]


def test_after_a_damaged_checkpoint_the_run_is_the_same(
    arguments: list[str], again: RunDirectory, whole: RunDirectory
) -> None:
    cut(again.step(6) / "state.pt")
    assert_same_run(run(arguments), whole)


def test_without_a_whole_checkpoint_nothing_is_changed(arguments: list[str], again: RunDirectory) -> None:
    for folder in again.steps():
        cut(folder / "state.pt")
    before = snapshot(again.root)
    with pytest.raises(UserError) as raised:
        run(arguments)
    message = str(raised.value)
    assert "\n" not in message
    assert f"{again.checkpoints}: none of the 3 checkpoints can be resumed from (the newest: " in message
    assert f"{again.step(6) / 'state.pt'}: its content is not what was written" in message
    assert "nothing was deleted" in message
    assert snapshot(again.root) == before


def test_without_any_checkpoint_it_starts_at_its_first_step(
    arguments: list[str], again: RunDirectory, whole: RunDirectory, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(again.checkpoints)
    again.checkpoints.mkdir()
    assert_same_run(run(arguments), whole)
    assert capsys.readouterr().out.startswith("again has no checkpoint yet: it starts at its first step\n")


def test_a_copy_without_links_has_them_again(arguments: list[str], again: RunDirectory) -> None:
    for link in ("last", "best"):
        (again.checkpoints / link).unlink()
    assert resumption(arguments).complaints == []
    assert again.checkpoint("last").resolve() == again.step(6).resolve()
    assert again.checkpoint("best").resolve() == again.step(3).resolve()


def test_a_lost_best_checkpoint_is_replaced(
    arguments: list[str], again: RunDirectory, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(again.step(6))
    flip(again.step(3) / "model.safetensors")
    run(arguments)
    assert f"the best checkpoint is lost ({again.step(3)}" in capsys.readouterr().out.replace("best/", "step-00000003/")
    assert again.checkpoint("best").resolve().name == "step-00000006"


def test_a_checkpoint_without_checksums_is_taken_as_it_is(arguments: list[str], again: RunDirectory) -> None:
    (again.step(6) / "sha256.json").unlink()
    assert resumption(arguments).lines("again") == [f"again resumed at step 6 from {again.step(6)}"]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_told_to_stop_it_saves_the_step_and_says_how_to_go_on(
    arguments: list[str], whole: RunDirectory, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    again = RunDirectory(tmp_path / "again")
    arguments = [*arguments, "--loop.workers", "1"]
    # Ctrl-C and the end of a job reach the workers, too.
    ended = life(arguments, tmp_path, Blow(FOURTH_LINE, number, "all"))
    (folder,) = {path for path in again.steps() if path.name == again.checkpoint("last").resolve().name}
    step = int(folder.name.removeprefix("step-"))
    assert step == 5, "it would have been saved anyway: this proves nothing"
    assert ended.code == code
    assert ended.err.splitlines() == [
        f"{number.name}: stopping after this step; a second signal ends at once",
        f"{number.name}: stopped after step {step}, which is saved in {folder}; go on by the same command",
    ]
    resumed = life(arguments, tmp_path)
    assert resumed.out.startswith(f"again resumed at step {step} from {folder}\n")
    assert_same_run(again, whole)


def test_a_killed_worker_is_said_in_one_line(arguments: list[str], whole: RunDirectory, tmp_path: Path) -> None:
    ended = life([*arguments, "--loop.workers", "1"], tmp_path, Blow(FIRST_LINE, whom="workers"))
    assert ended.code == 2
    assert ended.err == (
        "error: a process that reads data was killed, as a rule because memory had run out: go on with --resume and "
        "fewer loop.workers\n"
    )
    assert life(arguments, tmp_path).code == 0
    assert_same_run(RunDirectory(tmp_path / "again"), whole)


def test_no_room_for_a_checkpoint(
    arguments: list[str], again: RunDirectory, whole: RunDirectory, tmp_path: Path
) -> None:
    shutil.rmtree(again.step(6))
    kept = snapshot(again.step(4))
    ended = life(arguments, tmp_path, largest_file=100_000)
    assert ended.code == 2
    assert ended.err == (
        f"error: {again.step(6)}: cannot be written (File too large): what was saved before is in {again.checkpoints}: "
        "make room, then go on with --resume\n"
    )
    assert snapshot(again.step(4)) == kept
    assert [path.name for path in again.checkpoints.glob(".*")] == []
    assert life(arguments, tmp_path).code == 0
    assert_same_run(again, whole)


@pytest.fixture
def small_disk(whole: RunDirectory, tmp_path: Path) -> Iterator[Path]:
    """A file system with room for two checkpoints and a part of the next."""
    folder = tmp_path / "disk"
    folder.mkdir()
    size = sum(path.stat().st_size for path in whole.step(6).iterdir())
    mount = ["mount", "-t", "tmpfs", "-o", f"size={int(2.5 * size)}", "none", str(folder)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("file systems can be mounted by root only")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk(
    options: Options, changes: dict[str, object], whole: RunDirectory, small_disk: Path, tmp_path: Path
) -> None:
    again = RunDirectory(small_disk / "again")
    arguments = [*options("again", small_disk, **changes), "--resume"]
    ended = life(arguments, tmp_path)
    assert ended.code == 2
    assert ended.err.count("\n") == 1
    assert "cannot be written (No space left on device): what was saved before is in" in ended.err
    (newest, *_) = again.steps()
    subprocess.run(["mount", "-o", "remount,size=64m", str(small_disk)], check=True)
    resumed = life(arguments, tmp_path)
    assert resumed.out.startswith(f"again resumed at step {int(newest.name[5:])} from {newest}\n")
    assert_same_run(again, whole)
