"""TensorBoard, Weights & Biases, MLflow and trackio, by accelerate's trackers; ``metrics.jsonl`` is written anyway.

Where a tracker's server is, and who may write there, each finds in the environment as its own documentation says:
``WANDB_MODE``, ``MLFLOW_TRACKING_URI``, ``TRACKIO_SPACE_ID``, …
"""

import json
import re
from collections.abc import Callable, Iterator
from importlib import metadata
from types import TracebackType
from typing import Any
from uuid import uuid4

from accelerate import PartialState
from accelerate.tracking import GeneralTracker, MLflowTracker, TensorBoardTracker, TrackioTracker, WandBTracker

from train.config import TrackerName
from train.durable import atomic_path
from train.errors import UserError
from train.flat_config import flat_config
from train.history import Record
from train.meter import OF_THE_RUN
from train.run_directory import RunDirectory

PROJECT = "segdistill"
"""The project, in MLflow the experiment, that runs belong to."""


def check_trackers(names: list[TrackerName]) -> None:
    """`UserError` unless the packages of all trackers are installed."""
    for name in names:
        try:
            metadata.version(name)  # not an import: the folder wandb/ that its runs leave behind can be imported, too
        except metadata.PackageNotFoundError:
            raise UserError(
                f"trackers: {name} is not installed: pip install {name}, or leave it out (--trackers '[]': "
                "metrics.jsonl alone)"
            ) from None


class Trackers:
    """The trackers of a run, told all that ``metrics.jsonl`` is told.

    One that fails later, because its server is gone for example, is given up; the training goes on.

    Args:
        names: of the trackers.
        run: where TensorBoard writes, and where the others' names for the run are kept for its resumption.
        step: finished steps; TensorBoard hides what it was told of later ones, for they are done again.
        say: prints a line to the user.

    Raises:
        UserError: a tracker cannot be started.
    """

    def __init__(self, names: list[TrackerName], run: RunDirectory, step: int, say: Callable[[str], None]) -> None:
        self._say = say
        self._started: dict[TrackerName, GeneralTracker] = {}
        if names:
            PartialState()  # some of the trackers ask it, others log through it, and none makes it
        for name in names:
            try:
                self._started[name] = _start(name, run, step)
            except Exception as error:  # anything: of four packages, their configuration and the network
                self.close()
                raise UserError(
                    f"trackers: {name} cannot be started: {_one_line(error)}: put it right, or leave it out"
                ) from None

    def __enter__(self) -> "Trackers":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def log(self, record: Record) -> None:
        """Tell the numbers of one line of ``metrics.jsonl``."""
        values = metrics(record)
        if values:
            self._each(lambda tracker: tracker.log(values, step=record["step"]))

    def close(self) -> None:
        """Tell them that this is all."""
        self._each(lambda tracker: tracker.finish())
        self._started.clear()

    def _each(self, tell: Callable[[GeneralTracker], None]) -> None:
        for name, tracker in list(self._started.items()):
            try:
                tell(tracker)
            except Exception as error:  # as above
                del self._started[name]
                self._say(f"tracker {name} failed and is given up; metrics.jsonl has everything: {_one_line(error)}")


def metrics(record: Record) -> dict[str, float]:
    """The numbers of a line of ``metrics.jsonl`` by name: ``loss/kd``, ``lr``, ``val/miou``, ``val/iou/road``."""
    return {re.sub(r"[^\w\-. :/]", "_", name): float(value) for name, value in _numbers(record)}


def _numbers(record: Record) -> Iterator[tuple[str, float]]:
    split = f"{record['split']}/" if "split" in record else ""
    groups = {"losses": "loss/", "class_iou": f"{split}iou/"}
    for key, value in record.items():
        inner = value if isinstance(value, dict) else {}
        yield from ((f"{groups.get(key, key)}{name}", part) for name, part in inner.items() if part is not None)
        if isinstance(value, int | float) and key != "step":
            yield (key if key in OF_THE_RUN else f"{split}{key}"), value


def _start(name: TrackerName, run: RunDirectory, step: int) -> GeneralTracker:
    config = run.config().model_dump(mode="json", exclude={"resume", "overwrite", "profile"})
    if name == "tensorboard":
        board = TensorBoardTracker("tensorboard", run.root, purge_step=step + 1)
        board.start()
        board.log({"config": f"```\n{json.dumps(config, indent=2)}\n```"}, step=0)
        return board
    path = run.root / "trackers.json"
    known: dict[str, str] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    tracker: Any
    if name == "wandb":
        known.setdefault(name, uuid4().hex)
        tracker = WandBTracker(PROJECT, name=config["name"], id=known[name], resume="allow", dir=str(run.root))
    elif name == "mlflow":
        tracker = MLflowTracker(PROJECT, run_id=known.get(name), run_name=config["name"])
    else:
        tracker = TrackioTracker(PROJECT, name=config["name"], resume="allow" if step else "never")
    tracker.start()
    if name == "mlflow":
        known[name] = tracker.tracker.info.run_id
    with atomic_path(path) as written:
        written.write_text(json.dumps(known, indent=2) + "\n", encoding="utf-8")
    tracker.store_init_configuration(flat_config(config))
    return tracker


def _one_line(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:200]
