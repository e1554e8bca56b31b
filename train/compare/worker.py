"""What each process of a comparison does until nothing is left: take what no other process works on, and train it."""

import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

from train.compare.config import CompareConfig
from train.compare.schedule import Schedule
from train.compare.scoring import score_run
from train.errors import UserError

_WAIT_S = 1.0


def work(config: CompareConfig, schedule: Schedule, until: float) -> bool:
    """Train and score all that is left; False: the time, as `time.monotonic` counts it, was over before.

    Raises:
        UserError: a training cannot be.
        Interrupted: the process is to end; what was trained is saved.
    """
    data = config.recipe.data
    while True:
        jobs = list(schedule.open())
        if not jobs:
            schedule.record()
            return True
        for job in jobs:
            if time.monotonic() > until:
                return False
            print(schedule.line(job), flush=True)
            if job.work():
                schedule.record()
                if job.final and job.failure is None:
                    score_run(job.root, config.root, data.val_split, data.neighbour)
                break
        else:
            time.sleep(_WAIT_S)  # other processes are at all of them


@contextmanager
def further_processes(config: CompareConfig, arguments: Sequence[str]) -> Iterator[None]:
    """The same command as often as is wanted besides this process, to train only; each has a log.

    Raises:
        UserError: one has failed; this process has done what it could.
    """
    config.root.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "train.compare", *arguments, "--processes", "1", "--no-tables"]
    with ExitStack() as stack:
        started = []
        for number in range(1, config.processes):
            log = config.root / f"process-{number}.log"
            file = stack.enter_context(log.open("a", encoding="utf-8"))
            started.append((log, subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT)))
        try:
            yield
        except BaseException:
            for _, process in started:
                process.terminate()
            raise
        finally:
            codes = [(log, process.wait()) for log, process in started]
        failed = [str(log) for log, code in codes if code]
        if failed:
            raise UserError(f"{', '.join(failed)}: a process has failed, its last lines say why; all else is kept")
