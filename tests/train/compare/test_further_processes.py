"""Real processes: what is left of a comparison when one of them is killed."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from tests.train.compare.tiny import tiny

pytestmark = pytest.mark.slow
_PATIENCE_S = 120.0


def written(folder: Path) -> Path:
    """Two arms of two runs that take some seconds each."""
    config = tiny(folder / "runs", tuning={"trials": 1}, longer=0, processes=2)
    config["recipe"]["loop"] |= {"steps": 300, "eval_every": 100, "save_every": 100}
    path = folder / "tiny.yaml"
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    return path


@contextmanager
def comparing(config: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A comparison, and the number of the process that it has started, once that one trains."""
    command = [sys.executable, "-m", "train.compare", str(config)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as first:
        try:
            log = config.parent / "runs/tiny/process-1.log"
            until(lambda: log.is_file() and "img/s" in log.read_text(encoding="utf-8"))
            children = Path(f"/proc/{first.pid}/task/{first.pid}/children").read_text(encoding="ascii")
            yield first, int(children.split()[0])
        finally:
            first.kill()


def until(happens: Callable[[], bool]) -> None:
    began = time.monotonic()
    while not happens():
        assert time.monotonic() - began < _PATIENCE_S
        time.sleep(0.1)


def is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_process_ends_with_the_one_that_started_it(tmp_path: Path, number: signal.Signals) -> None:
    with comparing(written(tmp_path)) as (first, further):
        first.send_signal(number)
        first.communicate()
        until(lambda: not is_running(further))
    said = (tmp_path / "runs/tiny/process-1.log").read_text(encoding="utf-8")
    assert "go on by the same command\n" in said


def test_the_others_do_what_a_process_leaves_and_make_the_tables(tmp_path: Path) -> None:
    with comparing(written(tmp_path)) as (first, further):
        os.kill(further, signal.SIGKILL)
        said, _ = first.communicate()
        assert first.returncode == 0
    assert "process-1.log: this process has failed, its last lines say why; the others go on" in said
    results = json.loads((tmp_path / "runs/tiny/results.json").read_text(encoding="utf-8"))
    assert [len(arm["runs"]) for arm in results["arms"]] == [2, 2]
