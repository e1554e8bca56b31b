import json
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from train import scaling
from train.scaling import table
from train.step_cost import StepCost

Options = Callable[..., list[str]]


def test_the_table_compares_with_its_first_row() -> None:
    one, two = (StepCost(count, 8, "cpu", ms, 0.9 * ms, 500.4) for count, ms in ((1, 400.0), (2, 250.0)))
    assert table([one, two]).splitlines()[2:] == [
        "| 1 | cpu | 8 | 8 | 400 | 20.0 | 1.00 | 90% | 500 |",
        "| 2 | cpu | 8 | 4 | 250 | 32.0 | 1.60 | 90% | 500 |",
    ]


@pytest.mark.slow
def test_steps_are_measured_on_one_process_and_two(cli, camvid_root: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    config, numbers = tmp_path / "tiny.yaml", tmp_path / "numbers.json"
    data = {"layout": "camvid", "root": str(camvid_root), "size": [64, 96]}
    model = {"encoder": "lcnet_035"}
    loop = {"batch_size": 2, "workers": 0, "threads": 1}
    config.write_text(yaml.safe_dump({"name": "tiny", "data": data, "model": model, "loop": loop}), encoding="utf-8")
    ended = cli(scaling.main, [str(config), "--steps", "5", "--json", str(numbers)])
    assert ended.code == 0
    costs = [StepCost(**cost) for cost in json.loads(numbers.read_text(encoding="utf-8"))]
    assert [(cost.processes, cost.batch_size, cost.device) for cost in costs] == [(1, 2, "cpu"), (2, 2, "cpu")]
    assert all(cost.ms > 0 and cost.bare_ms > 0 and cost.mib > 100 for cost in costs)
    assert ended.out.endswith(table(costs) + "\n")


def test_a_training_that_fails_is_said(cli, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    ended = cli(scaling.main, [str(tmp_path / "none.yaml"), "--processes", "1"])
    assert ended.code == 2
    assert ended.err.endswith("none.yaml on 1 processes: failed, see above\n")
