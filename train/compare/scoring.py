"""Score a finished run for a comparison: every score from one pass over a split, kept beside the run."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from train.boundary_score import BoundaryScore
from train.checkpoint import check_classes, load_run
from train.checkpoint_files import WEIGHTS
from train.clip_walk import ClipWalk, TemporalEvaluation
from train.compare.kept_scores import read_scores, write_scores
from train.compare.results import RunScores
from train.data.dataset import Dataset
from train.data.open import open_dataset
from train.data.resize import Size
from train.data.spec import NeighbourSpec
from train.errors import UserError
from train.evaluation import evaluate, predictions
from train.history import History
from train.metrics import ConfusionMatrix, scores
from train.models.network import SegmentationNetwork
from train.precision import choose_device
from train.run_directory import RunDirectory
from train.temporal import TemporalScores
from train.yaml_file import read_yaml

_SETTINGS_OF_TC = {"gap", "provider", "preset", "tolerance"}


def score_run(run: Path, root: Path, split: str, neighbour: NeighbourSpec | None = None) -> RunScores:
    """The scores of a run's best checkpoint on a split of its dataset, those of `train.evaluate`.

    They are kept in ``RUN/evaluation/compare-SPLIT.json`` and ``.npz``, and read from there while the run's config and
    checkpoints and the settings of TC are the same. Matrices are in the order of time where the dataset has clips, else
    in its own. ``last_miou`` is what the training wrote down; on another split than its val split, the last checkpoint
    is scored as well.

    Args:
        run: its folder, somewhere in ``root``.
        root: the comparison's folder.
        split: such as ``val``.
        neighbour: which frames TC compares, and by which flow; default: as in the run's config. Give one for all runs
            of a comparison, for a method may be trained with another.

    Raises:
        UserError: no run, no checkpoint, not evaluated yet; the dataset is not there, or has other classes or no
            labels; there is no room for the files.
    """
    directory = RunDirectory(run)
    neighbour = neighbour or directory.config().data.neighbour
    made_from = {
        "digest": digest_of(run),
        "last": directory.checkpoint("last").resolve().name,
        "split": split,
        "tc": neighbour.model_dump(mode="json", include=_SETTINGS_OF_TC),
    }
    kept = run / "evaluation" / f"compare-{split}.json"
    found = read_scores(kept, made_from)
    if found is None:
        found = _score(run, split, neighbour)
        write_scores(kept, made_from, found)
    return replace(found, run=run.resolve().relative_to(root.resolve()).as_posix())


def digest_of(run: Path) -> str:
    """Of the best checkpoint's weights and the config without the run's place: 12 hexadecimal digits of a sha256."""
    weights = RunDirectory(run).checkpoint("best") / WEIGHTS
    config = {key: value for key, value in read_yaml(run / "config.yaml").items() if key not in ("name", "out")}
    return hashlib.sha256(weights.read_bytes() + json.dumps(config, sort_keys=True).encode()).hexdigest()[:12]


def _score(run: Path, split: str, neighbour: NeighbourSpec) -> RunScores:
    trained, history = load_run(run), History.of(RunDirectory(run).records())
    config, device = trained.config, choose_device(trained.config.loop.device)
    dataset = open_dataset(config.data, split)
    check_classes(trained, run, dataset.classes, dataset.name)
    if not dataset.labelled:
        raise UserError(f"{dataset.name}: no labels to score against: compare on a split that has masks")
    if history.last is None:
        raise UserError(f"{run}: not evaluated yet: train it to its end first")
    seen = _see(trained.network.to(device), dataset, config.data.size, neighbour)
    total = ConfusionMatrix(len(dataset.classes))
    total.counts = seen.matrices.sum(axis=0)
    of_images = scores(total, dataset.classes)
    last_miou = history.last["miou"]
    if split != config.data.val_split:
        last = load_run(run, "last").network.to(device)
        last_miou = scores(evaluate(last, dataset, config.data.size), dataset.classes).miou
    return RunScores(
        run=run.name,
        digest=digest_of(run),
        seed=config.seed,
        step=trained.step,
        miou=of_images.miou,
        last_miou=last_miou,
        macc=of_images.macc,
        pixel_accuracy=of_images.pixel_accuracy,
        class_iou=of_images.class_iou,
        boundary_f=seen.boundary_f,
        tc=None if seen.over_time is None else seen.over_time.tc,
        flips_per_s=None if seen.over_time is None else seen.over_time.flips_per_s,
        seconds=history.spent("seconds"),
        cpu_joules=history.spent("cpu_joules"),
        gpu_joules=history.spent("gpu_joules"),
        matrices=seen.matrices,
    )


class _Seen(NamedTuple):
    matrices: NDArray[np.int64]
    """``(images, classes, classes)``."""
    boundary_f: float | None
    over_time: TemporalScores | None
    """None: no clips, or none with frames so far apart."""


def _see(network: SegmentationNetwork, dataset: Dataset, size: Size, neighbour: NeighbourSpec) -> _Seen:
    """Predict each frame once."""
    classes = len(dataset.classes)
    walk = _walk(dataset, neighbour.gap)
    over_time = TemporalEvaluation(walk, neighbour, classes) if walk else None
    boundaries, matrices = BoundaryScore(classes), []
    seen = predictions(network, walk or dataset, size)
    for sample, ids, _ in over_time.through(seen) if over_time else seen:
        matrix = ConfusionMatrix(classes)
        matrix.add(sample.label, ids)
        matrices.append(matrix.counts)
        boundaries.add(sample.label, ids)
    return _Seen(
        matrices=np.stack(matrices),
        boundary_f=boundaries.scores(dataset.classes).boundary_f,
        over_time=over_time.consistency.scores(dataset.classes) if over_time else None,
    )


def _walk(dataset: Dataset, gap: int) -> ClipWalk | None:
    """None: without clips whose frames can be compared, there is one score less, and no reason to stop."""
    try:
        return ClipWalk(dataset, gap)
    except UserError:
        return None
