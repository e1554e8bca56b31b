"""Files of a bundle against the PyTorch student, picture by picture."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from export.graph import DeployedNetwork
from export.manifest import Accuracy, DifferingPixel, Manifest
from export.pictures import Picture
from export.preprocess import postprocess, preprocess
from export.runner import Runner
from train.data.resize import resize_ids
from train.metrics import ConfusionMatrix, scores
from train.models.network import SegmentationNetwork

_BOUNDARY_WIDTH = 5
_RUN_TWICE = 8
_LISTED = 50


@dataclass(frozen=True)
class Answer:
    """What the PyTorch student says of a picture: class ids and confidence ``(h, w)``, logits ``(1, C, h', w')``."""

    mask: NDArray[np.uint8]
    confidence: NDArray[np.uint8]
    logits: NDArray[np.float32]

    def margins(self, where: NDArray[np.bool_]) -> NDArray[np.float32]:
        """The largest upsampled logit less the second, of the pixels ``where`` ``(h, w)``, in their order."""
        upsampled = DeployedNetwork.upsample(torch.from_numpy(self.logits), where.shape)
        first, second = upsampled[0][:, torch.from_numpy(where)].topk(2, dim=0).values
        return np.asarray((first - second).numpy(), np.float32)


@dataclass(frozen=True)
class Difference:
    """One picture's answers from both sides ``(h, w)`` and how far they are apart."""

    picture: Picture
    pytorch: Answer
    mask: NDArray[np.uint8]
    logits_error: float | None
    confidence_error: int | None
    not_finite: int | None
    same_again: bool | None

    @property
    def agreement(self) -> float:
        """Share of pixels with the same class, 0..1."""
        return float((self.pytorch.mask == self.mask).mean())


@dataclass
class Parity:
    """Everything compared so far of one file."""

    classes: list[str]
    runtime: str
    differences: list[Difference] = field(default_factory=list)
    pixels: list[DifferingPixel] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._pytorch = ConfusionMatrix(len(self.classes))
        self._file = ConfusionMatrix(len(self.classes))
        self._counts = np.zeros(4, np.int64)  # pixels, equal ones, those at boundaries, equal ones of these
        self._logits_errors: list[float] = []
        self._confidence_errors: list[int] = []
        self._not_finite: list[int] = []
        self._same_again: list[bool] = []
        self._images = self._differing = 0
        self._largest_margin: float | None = None

    def add(self, difference: Difference) -> None:
        """Count one picture; keep it only if the sides differ on it."""
        self._images += 1
        equal = difference.pytorch.mask == difference.mask
        boundary = _boundary(difference.pytorch.mask, difference.picture.label)
        self._counts += [equal.size, equal.sum(), boundary.sum(), (equal & boundary).sum()]
        for column, value in (
            (self._logits_errors, difference.logits_error),
            (self._confidence_errors, difference.confidence_error),
            (self._not_finite, difference.not_finite),
            (self._same_again, difference.same_again),
        ):
            if value is not None:
                column.append(value)  # type: ignore[arg-type]
        label = difference.picture.label
        if label is not None:
            self._pytorch.add(label, postprocess(difference.pytorch.mask, label.shape))
            self._file.add(label, postprocess(difference.mask, label.shape))
        if not equal.all():
            self.differences.append(difference)
            self._list(difference, ~equal)

    def _list(self, difference: Difference, differs: NDArray[np.bool_]) -> None:
        margins = difference.pytorch.margins(differs)
        self._differing += len(margins)
        self._largest_margin = max(self._largest_margin or 0.0, float(margins.max()))
        largest = np.argsort(-margins, kind="stable")[:_LISTED]
        for (row, column), margin in zip(
            np.argwhere(differs)[largest].tolist(), margins[largest].tolist(), strict=True
        ):
            ours, theirs = (int(mask[row, column]) for mask in (difference.pytorch.mask, difference.mask))
            pixel = DifferingPixel(
                picture=difference.picture.name,
                row=row,
                column=column,
                pytorch=self.classes[ours],
                file=self.classes[theirs] if theirs < len(self.classes) else str(theirs),
                margin=margin,
            )
            self.pixels.append(pixel)
        self.pixels = sorted(self.pixels, key=lambda pixel: -pixel.margin)[:_LISTED]

    def worst(self, count: int) -> list[Difference]:
        """The pictures the sides disagree most on."""
        return sorted(self.differences, key=lambda difference: difference.agreement)[:count]

    def accuracy(self, dataset: str, split: str, images_sha256: str) -> Accuracy:
        """The record for the manifest."""
        labelled = bool(self._pytorch.counts.any())
        pixels, equal, at_boundary, equal_at_boundary = self._counts.tolist()
        return Accuracy(
            dataset=dataset,
            split=split,
            images=self._images,
            images_sha256=images_sha256,
            runtime=self.runtime,
            miou_pytorch=scores(self._pytorch, self.classes).miou if labelled else None,
            miou_bundle=scores(self._file, self.classes).miou if labelled else None,
            agreement=equal / max(1, pixels),
            boundary_agreement=equal_at_boundary / at_boundary if at_boundary else None,
            differing_pixels=self._differing,
            largest_margin=self._largest_margin,
            pixels=self.pixels,
            max_logits_error=max(self._logits_errors, default=None),
            max_confidence_error=max(self._confidence_errors, default=None),
            not_finite=sum(self._not_finite) if self._not_finite else None,
            deterministic=all(self._same_again) if self._same_again else None,
        )


def compare(
    network: SegmentationNetwork, runners: Mapping[str, Runner], manifest: Manifest, pictures: Iterable[Picture]
) -> Iterator[dict[str, Difference]]:
    """For one picture after the other, PyTorch against each runner on the very same preprocessed input."""
    reference = DeployedNetwork(network).eval()
    for number, picture in enumerate(pictures):
        image = preprocess(picture.image, manifest.input)
        answer = _answer(reference, image)
        twice = number < _RUN_TWICE
        yield {role: _difference(runner, manifest, picture, image, answer, twice) for role, runner in runners.items()}


def _answer(reference: DeployedNetwork, image: NDArray[np.uint8]) -> Answer:
    with torch.inference_mode():
        mask, confidence, logits = reference(torch.tensor(image))
    return Answer(mask[0].numpy(), confidence[0].numpy(), logits.numpy())


def _difference(
    runner: Runner, manifest: Manifest, picture: Picture, image: NDArray[np.uint8], answer: Answer, twice: bool
) -> Difference:
    outputs = runner.run(image)
    logits = outputs[manifest.output.logits] if manifest.output.logits else runner.logits(image)
    confidence = outputs.get(manifest.output.confidence or "")
    return Difference(
        picture=picture,
        pytorch=answer,
        mask=np.asarray(outputs[manifest.output.name])[0],
        logits_error=None if logits is None else _largest_error(logits, answer.logits),
        confidence_error=None if confidence is None else int(_largest_error(confidence[0], answer.confidence)),
        not_finite=None if logits is None else int((~np.isfinite(logits)).sum()),
        same_again=_same(outputs, runner.run(image)) if twice else None,
    )


def _largest_error(values: NDArray[Any], expected: NDArray[Any]) -> float:
    return float(np.abs(values.astype(np.float64) - expected).max())


def _same(first: dict[str, NDArray[Any]], second: dict[str, NDArray[Any]]) -> bool:
    return all(first[name].tobytes() == second[name].tobytes() for name in first)


def _boundary(mask: NDArray[np.uint8], label: NDArray[np.uint8] | None) -> NDArray[np.bool_]:
    """Pixels with another class within two pixels, in the prediction or in the label."""
    edges = _edges(mask)
    return edges if label is None else edges | _edges(resize_ids(label, mask.shape))


def _edges(ids: NDArray[np.uint8]) -> NDArray[np.bool_]:
    window = np.ones((_BOUNDARY_WIDTH, _BOUNDARY_WIDTH), np.uint8)
    return np.asarray(cv2.dilate(ids, window) != cv2.erode(ids, window))
