"""One training of a comparison: a run's folder that one process at a time works on."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from train.config import RunConfig
from train.durable import atomic_path
from train.errors import NotFiniteError, UserError
from train.file_lock import file_lock
from train.history import History
from train.recipe import train
from train.run_directory import RunDirectory, changed_keys

_FAILURE = "failure.txt"
"""Why the training cannot go on."""
_OF_THE_DATASET = ("classes", "palette", "label_map")
"""Keys of ``data`` that a run's config has from its dataset where nobody gave them."""


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
    def steps(self) -> int:
        """How many are on record, up to the last that counts."""
        history = self.history
        return min(
            self.until, max((line["step"] for line in [*history.logged[-1:], *history.evaluations[-1:]]), default=0)
        )

    @property
    def failure(self) -> str | None:
        """Why it failed; None: it did not."""
        path = self.root / _FAILURE
        return path.read_text(encoding="utf-8").strip() if path.is_file() else None

    @property
    def done(self) -> bool:
        """Whether nothing is left to do, for good or ill."""
        if self.failure is not None:
            return True
        last = self.history.last
        if last is None or last["step"] < self.until:
            return False
        # A score is written before its checkpoint: who is killed in between comes past both again.
        return RunDirectory(self.root).step(last["step"]).is_dir()

    @property
    def miou(self) -> dict[int, float]:
        """On the val split by step, up to the last that counts; none: it failed."""
        if self.failure is not None:
            return {}
        scores = zip(*self.history.score("miou"), strict=True)
        return {step: value for step, value in scores if step <= self.until}

    def check(self) -> None:
        """`UserError` where its folder holds a training by another config, which would pass for this one."""
        run = RunDirectory(self.root)
        if not (run.root / "config.yaml").is_file():
            return
        kept = run.config()
        own = {key: getattr(kept.data, key) for key in _OF_THE_DATASET if not getattr(self.config.data, key)}
        data = self.config.data.model_copy(update=own)
        changed = changed_keys(kept, self.config.model_copy(update={"data": data}))
        if changed:
            raise UserError(
                f"{self.root}: was trained with another {', '.join(changed)}: what is compared keeps its config: put "
                "it back, give the comparison another name, or delete what is to be trained anew"
            )

    @contextmanager
    def held(self, wait_s: float = 0.0) -> Iterator[bool]:
        """Keep other processes from it; False: one has had it for all of ``wait_s`` seconds."""
        self.root.parent.mkdir(parents=True, exist_ok=True)
        with file_lock(self.root.parent / f".{self.root.name}.lock", wait_s) as held:
            yield held

    def train(self) -> None:
        """Train what is left of it. Numbers that are no longer finite are a `failure`.

        Raises:
            UserError: something is wrong with the config, the data or the teacher.
            Interrupted: the process is to end; the state is saved.
        """
        try:
            train(self.config, self.until, report=False)
        except NotFiniteError as error:  # what its values lead to: a result like any other
            with atomic_path(self.root / _FAILURE) as path:
                path.write_text(f"{error}\n", encoding="utf-8")
