"""How fast an arm trains here: measured on a few of its own steps."""

import itertools
import statistics
import time
from dataclasses import dataclass

from train.compare.arms import ArmConfig
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
    """A step whose crops the teacher has been asked about."""
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


def pace(arm: ArmConfig) -> Pace:
    """Train a few steps twice, and look at a few images. No run is made."""
    steps = max(2 * _STEPS, arm.base.loop.steps)
    config = arm.training("pace", arm.comparison.tuning.seed, arm.start, steps)
    session = open_session(config.model_copy(update={"profile": True}))
    batches = list(itertools.islice(session.batches(), _STEPS))
    times: list[list[float]] = [[], []]
    for of_pass, batch in itertools.product(times, batches):
        began = time.monotonic()
        train_step(session, batch)
        of_pass.append(time.monotonic() - began)
    # The first step of all warms up.
    fresh, again = statistics.median(times[0][1:]), statistics.median(times[1])
    crops = config.data.augment.variants * len(session.train_set)
    return Pace(again, _evaluation_s(session), max(0.0, fresh - again) * crops / config.loop.batch_size)


def _evaluation_s(session: Session) -> float:
    images = [session.val_set[index] for index in range(min(_LOOKS, len(session.val_set)))]
    began = time.monotonic()
    for _ in predictions(session.state.evaluated, images, session.config.data.size):
        pass
    return (time.monotonic() - began) * len(session.val_set) / len(images)
