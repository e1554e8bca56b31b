"""Smoothing and what lost against it: ``python -m tests.smoothing.compare BUNDLE --root DIR``."""

import argparse
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

import cv2
import numpy as np
from numpy.typing import NDArray

from export.bundle import load_bundle
from export.preprocess import postprocess, preprocess
from serve.engines.class_map import class_map
from serve.engines.onnx_runtime import OnnxRuntimeEngine
from serve.smoothing import Smoothing
from tests.smoothing.losers import Everywhere, OfProbabilities, Votes
from train.command import command
from train.data.dataset import Dataset
from train.data.flow.field import Flow
from train.data.flow.pair import FramePair
from train.data.flow.provider import open_provider
from train.data.open import open_dataset
from train.data.spec import DataConfig
from train.durable import atomic_path
from train.errors import UserError
from train.metrics import ConfusionMatrix, scores
from train.progress import progress
from train.temporal import TemporalConsistency

STRENGTHS = (0.3, 0.5, 0.8, 1.0)

Method = Callable[[NDArray[np.float32], NDArray[np.uint8], NDArray[np.uint8]], NDArray[np.uint8]]
"""Of the next frame logits ``(C, h, w)``, their class ids ``(H, W)`` and the network's RGB: the ids to show."""


@dataclass(frozen=True)
class Row:
    """One way, scored as `train.evaluate --temporal` scores."""

    method: str
    strength: float
    miou: float
    tc: float
    flips_per_s: float
    """Changes of class in a second, of pixels that do not move."""
    ms: float
    """Processor time on top of the network and its class map, the median."""


def main() -> None:
    """Print the table in the form of a document."""
    options = _parser().parse_args()
    cv2.setNumThreads(1)
    dataset = open_dataset(DataConfig(layout="camvid", root=options.root), "val")
    bundle = load_bundle(options.bundle)
    engine = OnnxRuntimeEngine(bundle, "onnx")
    if engine.logits is None:
        raise UserError(f"{options.bundle}: its graph is not cut at its logits: give one without confidence")
    samples = [dataset[index] for index in range(len(dataset))]
    inputs = [preprocess(sample.image, bundle.manifest.input) for sample in samples]
    logits = [engine.logits(batch)[0] for batch in progress(inputs, "network", len(inputs))]
    flows = list(progress(_flows(dataset), "flow", len(dataset) - 1))
    labels = [sample.label for sample in samples]
    rows = []
    for name, strength, method in progress(_methods(), "smoothing", len(_methods())):
        rows.append(_score(name, strength, method, logits, [batch[0] for batch in inputs], labels, flows, dataset))
    for row in rows:
        scored = f"{row.miou:.4f} | {row.tc:.4f} | {row.flips_per_s:.3f} | {row.ms:.2f}"
        print(f"| {row.method} | {row.strength:g} | {scored} |")
    if options.json is not None:
        with atomic_path(options.json) as path:
            path.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n", encoding="utf-8")


def _methods() -> list[tuple[str, float, Method]]:
    found: list[tuple[str, float, Method]] = [("none", 0.0, lambda _, ids, __: ids)]
    for strength in STRENGTHS:
        found += [
            ("votes", strength, _of_ids(Votes(strength))),
            ("ids held everywhere", strength, _of_ids(Everywhere(strength))),
            ("ids held where the picture stays", strength, _of_ids(Smoothing(strength))),
            ("mean of probabilities where the picture stays", strength, _of_logits(OfProbabilities(strength))),
            ("mean of logits everywhere", strength, _of_logits(Everywhere(strength))),
            ("mean of logits where the picture stays", strength, _of_logits(Smoothing(strength))),
        ]
    return [found[0], *sorted(found[1:], key=lambda row: row[:2])]


def _of_ids(smoothing: Smoothing) -> Method:
    return lambda _, ids, image: smoothing.of_ids(ids, image)


def _of_logits(smoothing: Smoothing) -> Method:
    return lambda logits, _, image: smoothing.of_logits(logits, image)


def _flows(dataset: Dataset) -> Iterator[Flow]:
    clips = dataset.clips
    assert clips is not None
    provider = open_provider(DataConfig(layout="camvid", root=Path()).neighbour, clips)
    for index in range(len(dataset) - 1):
        place = clips.place(index)
        assert clips.place(index + 1) == place.later(1), "one clip of consecutive frames"
        now, then = dataset[index], dataset[index + 1]
        yield provider(FramePair(now.image, then.image, now.name, place, 1))


def _score(
    name: str,
    strength: float,
    method: Method,
    logits: list[NDArray[np.float32]],
    images: list[NDArray[np.uint8]],
    labels: list[NDArray[np.uint8]],
    flows: list[Flow],
    dataset: Dataset,
) -> Row:
    assert dataset.clips is not None
    frames_per_s = dataset.clips.frames_per_s(0)
    matrix, consistency = ConfusionMatrix(len(dataset.classes)), TemporalConsistency(len(dataset.classes))
    scale = images[0].shape[0] // logits[0].shape[1]
    before: NDArray[np.uint8] | None = None
    plain_ms, method_ms = [], []
    for index, (planes, image, label) in enumerate(zip(logits, images, labels, strict=True)):
        begin = time.thread_time()
        ids = class_map(planes, scale)
        middle = time.thread_time()
        shown = method(planes, ids, image)
        plain_ms.append((middle - begin) * 1e3)
        method_ms.append((time.thread_time() - middle) * 1e3)
        shown = postprocess(shown, label.shape)
        matrix.add(label, shown)
        if before is not None:
            consistency.add(before, shown, flows[index - 1], 1 / frames_per_s if frames_per_s else None)
        before = shown
    found = consistency.scores(dataset.classes)
    miou = scores(matrix, dataset.classes).miou
    ms = median(method_ms) - (median(plain_ms) if "mean" in name else 0.0)  # a mean makes the class map itself
    return Row(name, strength, miou, found.tc, found.flips_per_s or 0.0, ms)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.smoothing.compare",
        description="Score ways to smooth the class maps of CamVid's val clip: mIoU, TC, flips, milliseconds a frame.",
    )
    parser.add_argument("bundle", type=Path, metavar="BUNDLE", help="folder with manifest.json")
    parser.add_argument("--root", type=Path, required=True, metavar="DIR", help="CamVid, SegNet's folders")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows there too")
    return parser


if __name__ == "__main__":
    command(main)
