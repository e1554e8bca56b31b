"""Results as a comparison finds them, with drawn confusion matrices instead of trainings."""

import zlib
from collections.abc import Mapping, Sequence

import numpy as np

from train.compare.results import Arm, Dimension, Kind, Results, RunScores, Student, TrialRecord
from train.metrics import ConfusionMatrix, scores

CLASSES = ("sky", "building", "pole", "road", "pavement", "tree", "sign", "fence", "car", "pedestrian", "bicyclist")
IMAGES = 24
GAINS = {"baseline": 0.0, "baseline-longer": 0.01, "kd": 0.004, "cwd": 0.06, "fckd": 0.045, "pfs": -0.05}
"""By method, of the share of pixels that are right."""


def made_results(
    gains: Mapping[str, float] = GAINS,
    students: Sequence[str] = ("tiny", "lite0"),
    seeds: Sequence[int] = (1, 2, 3),
    classes: Sequence[str] = CLASSES,
    tested: bool = True,
    latency: bool = True,
    notes: Sequence[str] = ("Of 6 wanted trials 3 fit.",),
) -> Results:
    """The arms of each student in the order of ``gains``, the first of which is the baseline."""
    names = list(classes)
    arms = [
        _arm(student, method, gain, seeds, names, 0.06 * number, tested)
        for number, student in enumerate(students)
        for method, gain in gains.items()
    ]
    sizes = [
        Student(name, 350_000 * 4**number, 210_000_000 * 3**number, 6.3 * 2**number if latency else None)
        for number, name in enumerate(students)
    ]
    return Results(
        name="camvid/small",
        command="python -m train.compare configs/compare/camvid/small.yaml --budget 30m",
        dataset="camvid/val",
        val_images=IMAGES,
        size=(192, 256),
        classes=names,
        students=sizes,
        arms=arms,
        teacher={
            "title": "FPN on efficientnet_lite2",
            "digest": "8d2f0c41a7be",
            "miou": 0.7312,
            "parameters": 6_420_000,
        },
        dimensions=[Dimension("optimizer.lr", list(gains), "0.001 … 0.01, logarithmic")],
        seeds=list(seeds),
        block=4,
        notes=list(notes),
        config={"name": "compare/made", "seeds": [1, 2, 3]},
        environment={"python": "3.11.7", "device": "cpu", "versions": {"torch": "2.14.1"}},
    )


def _arm(
    student: str, method: str, gain: float, seeds: Sequence[int], classes: list[str], start: float, tested: bool
) -> Arm:
    kind: Kind = "longer" if method.endswith("-longer") else "method" if gain else "baseline"
    folder = f"{student}/{method}"
    right = 0.72 + start + gain
    cost = 1.0 if kind == "baseline" else 1.3 + 10 * abs(gain)
    trials = [
        TrialRecord(0, {"optimizer.lr": 0.002}, {400: 0.41, 1200: 0.52}, False, f"{folder}/trial-00", 95.0),
        TrialRecord(1, {"optimizer.lr": 0.0071}, {400: 0.31}, True, f"{folder}/trial-01", 33.0),
    ]
    return Arm(
        student=student,
        method=method,
        kind=kind,
        losses=["cross_entropy"] if kind != "method" else ["cross_entropy", method],
        steps=2100 if kind == "longer" else 1200,
        trials=[] if kind == "longer" else trials,
        parameters={"optimizer.lr": 0.002},
        runs=[_run(folder, seed, right, classes, cost, 0) for seed in seeds],
        tested=[_run(folder, seed, right - 0.03, classes, cost, 1) for seed in seeds] if tested else [],
    )


def _run(folder: str, seed: int, right: float, classes: list[str], cost: float, split: int) -> RunScores:
    random = np.random.default_rng([seed, split, *folder.encode()])
    share = np.clip(right + random.normal(0, 0.004), 0, 0.99)
    matrices = np.stack([_matrix(len(classes), share, random) for _ in range(IMAGES)])
    matrix = ConfusionMatrix(len(classes))
    matrix.counts = matrices.sum(axis=0)
    found = scores(matrix, classes)
    return RunScores(
        run=f"{folder}/seed-{seed}",
        digest=f"{zlib.crc32(folder.encode()):08x}{seed:04x}",
        seed=seed,
        step=1000,
        miou=found.miou,
        last_miou=found.miou - 0.004,
        macc=found.macc,
        pixel_accuracy=found.pixel_accuracy,
        class_iou=found.class_iou,
        boundary_f=0.6 * found.miou,
        tc=None,
        flips_per_s=None,
        seconds=150.0 * cost + seed,
        cpu_joules=None,
        gpu_joules=None,
        matrices=matrices,
    )


def _matrix(classes: int, right: float, random: np.random.Generator) -> np.ndarray:
    """Of one image: each class's pixels are right or go anywhere."""
    pixels = random.integers(200, 2000, classes)
    hits = random.binomial(pixels, right)
    counts = np.stack([random.multinomial(wrong, np.full(classes, 1 / classes)) for wrong in pixels - hits])
    counts[np.diag_indices(classes)] += hits
    return counts.astype(np.int64)
