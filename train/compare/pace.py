"""How fast an arm trains here: measured on a few of its own steps."""

import statistics
import time
from dataclasses import dataclass

from train.compare.arms import ArmConfig
from train.data.batches import Batch
from train.evaluation import predictions
from train.session import Session, open_session
from train.step import train_step

_STEPS = 4
_LOOKS = 8
_SCORES = 3.0
"""The scores of a final run take so many times an evaluation: boundaries and optical flow, too."""


@dataclass(frozen=True)
class Pace:
    """Seconds."""

    step_s: float
    """A step whose crops the teacher has been asked about, and what it waits for its batch."""
    evaluation_s: float
    """A look at the val split."""
    fresh_s: float
    """Once for all runs: the teacher asked about every crop that is kept."""

    @property
    def score_s(self) -> float:
        """The scores of a final run."""
        return _SCORES * self.evaluation_s

    def run_s(self, steps: int, eval_every: int) -> float:
        """A whole training."""
        return steps * self.step_s + -(-steps // eval_every) * self.evaluation_s


def measured(arm: ArmConfig) -> Pace:
    """Train a few steps twice, and look at a few images. No run is made."""
    steps = max(2 * _STEPS, arm.base.loop.steps)
    config = arm.training("pace", arm.comparison.tuning.seed, arm.start, steps)
    session = open_session(config.model_copy(update={"profile": True}))
    coming = session.batches()
    batches: list[Batch] = []
    waits, first = [], []
    for _ in range(_STEPS):
        began = time.monotonic()
        batches.append(next(coming))
        waits.append(time.monotonic() - began)
        first.append(_step_s(session, batches[-1]))
    again = statistics.median([_step_s(session, batch) for batch in batches])
    # The first of each warms up.
    fresh = statistics.median(first[1:]) - again
    return Pace(statistics.median(waits[1:]) + again, _evaluation_s(session), _asking_s(session, fresh))


def _step_s(session: Session, batch: Batch) -> float:
    began = time.monotonic()
    train_step(session, batch)
    return time.monotonic() - began


def _asking_s(session: Session, fresh: float) -> float:
    """For all crops together, if a batch of new ones takes so much longer; without a cache all are always new."""
    if session.teacher_cache is None:
        return 0.0
    crops = session.config.data.augment.variants * len(session.train_set)
    return max(0.0, fresh) * crops / session.config.loop.batch_size


def _evaluation_s(session: Session) -> float:
    images = [session.val_set[index] for index in range(min(_LOOKS, len(session.val_set)))]
    began = time.monotonic()
    for _ in predictions(session.state.evaluated, images, session.config.data.size):
        pass
    return (time.monotonic() - began) * len(session.val_set) / len(images)
