"""What each process of a comparison does until nothing is left: take what no other process works on, and train it."""

import time
from collections.abc import Callable

from train.compare.config import CompareConfig
from train.compare.job import Job
from train.compare.outlook import Outlook
from train.compare.schedule import Schedule
from train.compare.scoring import score_run

_WAIT_S = 1.0
_LONGEST_WAIT_S = 30.0


def work(config: CompareConfig, schedule: Schedule, until: float, look: Callable[[], None] = lambda: None) -> bool:
    """Train and score all that is left; False: the time, as `time.monotonic` counts it, was over before.

    Args:
        config: of the comparison.
        schedule: what is to be trained.
        until: nothing is begun after this.
        look: called before each training.

    Raises:
        UserError: a training cannot be.
        Interrupted: the process is to end; what was trained is saved.
    """
    outlook, wait_s = Outlook(schedule, config.processes), _WAIT_S
    while True:
        look()
        jobs = list(schedule.open())
        if not jobs:
            schedule.record()
            return True
        for job in jobs:
            if time.monotonic() > until:
                return False
            if _take(config, schedule, job, outlook):
                wait_s = _WAIT_S
                break
        else:  # other processes are at all of them
            time.sleep(wait_s)
            wait_s = min(2 * wait_s, _LONGEST_WAIT_S)


def _take(config: CompareConfig, schedule: Schedule, job: Job, outlook: Outlook) -> bool:
    """Train it, unless another process does; False: one does."""
    with job.held() as held:
        if held and not job.done:
            print(outlook.line(job), flush=True)
            job.train()
            schedule.record()
            if job.final and job.failure is None:
                data = config.recipe.data
                score_run(job.root, config.root, data.val_split, data.neighbour)
        return held
