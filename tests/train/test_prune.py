"""``python -m train.prune`` as a user calls it, and what is done with the run that it leaves."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from export import onnx
from tests.conftest import Cli
from train import distill, evaluate, prune
from train.checkpoint import load_run
from train.models.build import cost
from train.run_directory import RunDirectory


@pytest.fixture(scope="module")
def source(student_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of `student_run`, to see that it stays as it is."""
    return Path(shutil.copytree(student_run, tmp_path_factory.mktemp("source") / "student", symlinks=True))


@pytest.fixture(scope="module")
def pruned_run(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`source` at half its MACs, after a few steps. Read only."""
    out = tmp_path_factory.mktemp("pruned")
    monkeypatch = pytest.MonkeyPatch()
    monkeypatch.setattr("sys.argv", ["prune", *_arguments(source, out)])
    prune.main()
    monkeypatch.undo()
    return out / "student-pruned"


def _arguments(source: Path, out: Path, *more: str, macs: str = "0.5") -> list[str]:
    short = ["--out", str(out), "--loop.steps", "4", "--loop.eval_every", "4"]
    return [str(source), "--target-macs", macs, *short, *more]


def _files(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_half_the_macs_in_multiples_of_eight_and_taught_by_the_unpruned(source: Path, pruned_run: Path) -> None:
    before, after = load_run(source), load_run(pruned_run)
    size = before.config.data.size
    record = json.loads((pruned_run / "pruning.json").read_text())
    assert 0.35 < cost(after.network, size).macs / cost(before.network, size).macs <= 0.5
    assert record["pruned"]["macs"] == cost(after.network, size).macs
    assert record["unpruned"]["parameters"] == cost(before.network, size).parameters
    assert record["miou_distilled"] >= 0
    assert all(count % 8 == 0 for count in after.config.model.channels.values())
    assert after.network.classifier.out_channels == len(before.config.data.classes)
    assert after.config.teacher is not None
    assert after.config.teacher.run == str(source)
    assert [loss.name for loss in after.config.losses] == [loss.name for loss in before.config.losses]


def test_the_source_stays_as_it_is(student_run: Path, source: Path, pruned_run: Path) -> None:
    assert pruned_run.is_dir()
    assert _files(source) == _files(student_run)


def test_it_is_scored_like_any_run(cli: Cli, pruned_run: Path, tmp_path: Path) -> None:
    scored = cli(evaluate.main, [str(pruned_run), "--out", str(tmp_path), "--pictures", "0"])
    assert scored.code == 0, scored.err
    record = json.loads((pruned_run / "pruning.json").read_text())
    assert json.loads((tmp_path / "scores.json").read_text())["miou"] == record["miou_distilled"]


@pytest.mark.slow
def test_it_is_exported_like_any_run(cli: Cli, pruned_run: Path, tmp_path: Path) -> None:
    exported = cli(onnx.main, [str(pruned_run), "--out", str(tmp_path / "bundle")])
    assert exported.code == 0, exported.err
    assert json.loads((tmp_path / "bundle" / "manifest.json").read_text())["student"]["model"]["channels"]


@pytest.mark.slow
def test_stopped_before_its_first_checkpoint_it_goes_on(
    cli: Cli, source: Path, pruned_run: Path, tmp_path: Path
) -> None:
    copy = Path(shutil.copytree(pruned_run, tmp_path / "student-pruned", symlinks=True))
    shutil.rmtree(copy / "checkpoints")
    (copy / "checkpoints").mkdir()
    ended = cli(prune.main, _arguments(source, tmp_path, "--resume"))
    assert ended.code == 0, ended.err
    again = load_run(copy).network.state_dict()
    torch.testing.assert_close(again, load_run(pruned_run).network.state_dict(), rtol=0, atol=0)


def test_its_config_trains_again_under_another_seed(cli: Cli, pruned_run: Path, tmp_path: Path) -> None:
    arguments = [str(pruned_run / "config.yaml"), "--name", "again", "--seed", "3", "--out", str(tmp_path)]
    ended = cli(distill.main, [*arguments, "--loop.steps", "1", "--optimizer.lr", "1e-9"])
    assert ended.code == 0, ended.err
    start = load_run(tmp_path / "again").network.state_dict()["classifier.weight"]
    torch.testing.assert_close(
        start, load_file(pruned_run / "start.safetensors")["classifier.weight"], rtol=0, atol=1e-6
    )


@pytest.mark.slow
def test_a_pruned_run_is_pruned_again(cli: Cli, pruned_run: Path, tmp_path: Path) -> None:
    ended = cli(prune.main, _arguments(pruned_run, tmp_path, "--name", "twice", macs="80%"))
    assert ended.code == 0, ended.err
    once, twice = load_run(pruned_run), load_run(tmp_path / "twice")
    assert cost(twice.network, (64, 96)).macs <= 0.8 * cost(once.network, (64, 96)).macs
    assert twice.config.model.channels.keys() >= once.config.model.channels.keys()


def test_a_latency_that_is_reached_without_pruning(cli: Cli, source: Path, tmp_path: Path) -> None:
    ended = cli(prune.main, [str(source), "--target-ms", "60000ms", "--out", str(tmp_path)])
    assert ended.code == 2
    assert "nothing to prune" in ended.err
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("target", "says"),
    [
        (["--target-macs", "0.001"], "cannot be reached: with 8 channels in every layer"),
        (["--target-ms", "0.01"], "cannot be reached"),
        (["--target-macs", "2"], "more than all"),
        (["--target-macs", "3 apples"], "not understood"),
        (["--target-ms", "8s"], "not understood: give milliseconds"),
        (["--target-macs", "0.5", "--model.encoder", "lcnet_050"], "--model.encoder: does not apply to"),
        (["--target-macs", "0.5", "--loop.stepz", "3"], "did you mean 'loop.steps'"),
    ],
)
def test_bad_input_is_said_in_one_line(cli: Cli, source: Path, tmp_path: Path, target: list[str], says: str) -> None:
    ended = cli(prune.main, [str(source), *target, "--out", str(tmp_path / "runs")])
    assert ended.code == 2
    assert says in ended.err
    assert ended.err.count("\n") == 1
    assert not (tmp_path / "runs").exists()


def test_a_run_that_is_not_finished(cli: Cli, source: Path, tmp_path: Path) -> None:
    unfinished = shutil.copytree(source, tmp_path / "unfinished", symlinks=True)
    config = unfinished / "config.yaml"
    config.write_text(config.read_text().replace("steps: 24", "steps: 99"))
    ended = cli(prune.main, _arguments(unfinished, tmp_path / "runs"))
    assert ended.code == 2
    assert "not finished, 24 of 99 steps" in ended.err


def test_a_run_of_that_name_is_kept(cli: Cli, source: Path, pruned_run: Path) -> None:
    before = _files(pruned_run)
    ended = cli(prune.main, _arguments(source, pruned_run.parent))
    assert ended.code == 2
    assert "this run exists" in ended.err
    other = cli(prune.main, _arguments(source, pruned_run.parent, "--resume", macs="0.4"))
    assert other.code == 2
    assert "pruned with target 0.5 MACs, not 0.4 MACs" in other.err
    assert _files(pruned_run) == before
    assert RunDirectory(pruned_run).config().model.channels
