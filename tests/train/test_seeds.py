import json
from pathlib import Path

from train import seeds
from train.seeds import Scored, table

ROOT = Path(__file__).parents[2]


def test_seeds_are_compared_pair_by_pair() -> None:
    first = Scored(Path("alone.yaml"), {"miou": [0.5, 0.6], "tc": [0.7, 0.7]})
    second = Scored(Path("taught.yaml"), {"miou": [0.6, 0.6], "tc": [0.8, 0.71]})
    shown = table([first, second], [0, 1])
    cells = [list(column.cells) for column in shown.columns]
    assert cells[1] == ["0.5500 ± 0.0707", "0.6000 ± 0.0000"]
    assert cells[4] == ["", "+0.1000 +0.0100"]


def test_a_config_is_trained_and_scored_with_each_seed(  # type: ignore[no-untyped-def]
    tmp_path: Path, cli
) -> None:
    small = "--data.size 64,96 --data.streets.size 64,96 --data.streets.clips 1 --data.streets.val_clips 1"
    short = f"{small} --data.streets.frames 2 --loop.steps 2 --loop.batch_size 2 --loop.workers 0 --loop.threads 1"
    arguments = [str(ROOT / "configs/streets/consistency.yaml"), "--seeds", "3", "--temporal"]
    arguments += ["--json", str(tmp_path / "new" / "scores.json"), *short.split(), "--out", str(tmp_path)]
    assert cli(seeds.main, arguments).code == 0
    record = json.loads((tmp_path / "new" / "scores.json").read_text())
    (scores,) = [value for key, value in record.items() if key != "seeds"]
    assert scores.keys() == {"miou", "tc", "flips_per_s"}
    assert (tmp_path / "streets" / "consistency-seed3" / "checkpoints" / "best").is_dir()


def test_a_run_that_fails_ends_the_comparison(tmp_path: Path, cli) -> None:  # type: ignore[no-untyped-def]
    ended = cli(seeds.main, [str(ROOT / "configs/streets/alone.yaml"), "--loop.stepz", "2", "--out", str(tmp_path)])
    assert ended.code == 2
    assert "did you mean 'loop.steps'" in ended.err
