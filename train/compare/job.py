"""One training of a comparison: a run's folder that one process at a time works on."""

from dataclasses import dataclass
from pathlib import Path

from train.config import RunConfig
from train.durable import atomic_path
from train.errors import NotFiniteError
from train.file_lock import file_lock
from train.history import History
from train.recipe import train
from train.run_directory import RunDirectory

_FAILURE = "failure.txt"
"""Why the training cannot go on."""


@dataclass(frozen=True)
class Job:
    """A training up to some step; what has been done of it is what its folder holds."""

    config: RunConfig
    until: int
    """The step it is scored after: the last, or one before."""
    final: bool = False
    """Whether it is one of those that are compared."""

    @property
    def root(self) -> Path:
        """The run's folder."""
        return self.config.out / self.config.name

    @property
    def history(self) -> History:
        """Of what has been trained so far."""
        return History.of(RunDirectory(self.root).records())

    @property
    def failure(self) -> str | None:
        """Why it failed; None: it did not."""
        path = self.root / _FAILURE
        return path.read_text(encoding="utf-8").strip() if path.is_file() else None

    @property
    def done(self) -> bool:
        """Whether nothing is left to do, for good or ill."""
        last = self.history.last
        return self.failure is not None or (last is not None and last["step"] >= self.until)

    @property
    def miou(self) -> dict[int, float]:
        """On the val split by step, up to the last that counts; none: it failed."""
        if self.failure is not None:
            return {}
        scores = zip(*self.history.score("miou"), strict=True)
        return {step: value for step, value in scores if step <= self.until}

    def work(self) -> bool:
        """Train, unless another process does; False: one does. Numbers that are no longer finite are a `failure`.

        Raises:
            UserError: something is wrong with the config, the data or the teacher.
            Interrupted: the process is to end; the state is saved.
        """
        self.root.parent.mkdir(parents=True, exist_ok=True)
        with file_lock(self.root.parent / f".{self.root.name}.lock") as held:
            if held and not self.done:
                self._train()
        return held

    def _train(self) -> None:
        try:
            train(self.config, self.until, report=False)
        except NotFiniteError as error:  # what its values lead to: a result like any other
            with atomic_path(self.root / _FAILURE) as path:
                path.write_text(f"{error}\n", encoding="utf-8")
