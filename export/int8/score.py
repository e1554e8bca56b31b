"""What a changed graph loses against the fp32 graph, on pictures that are kept in memory."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from export.manifest import Manifest
from export.pictures import Pictures
from export.preprocess import postprocess, preprocess
from export.session import open_session
from train.metrics import ConfusionMatrix, scores
from train.progress import progress


class Loss(BaseModel):
    """Against fp32, in points of 100."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    agreement: float = Field(description="pixels that got another class, per cent")
    miou: float | None = Field(description="mIoU lost, points; null without labels; below 0 where it grew")

    @property
    def points(self) -> float:
        """What a limit is set on: mIoU where there are labels, agreement elsewhere."""
        return self.agreement if self.miou is None else self.miou

    def __str__(self) -> str:
        return f"{self.points:.2f} points of {'agreement' if self.miou is None else 'mIoU'}"


@dataclass(frozen=True)
class _Scored:
    """A picture as the graph takes it, its label where it has one, and the fp32 graph's class ids."""

    image: NDArray[np.uint8]
    label: NDArray[np.uint8] | None
    reference: NDArray[np.uint8]


class Scorer:
    """Runs the fp32 graph once, and every other graph against what it said."""

    def __init__(self, manifest: Manifest, threads: int, pictures: list[_Scored]) -> None:
        self._manifest = manifest
        self._threads = threads
        self._pictures = pictures

    @classmethod
    def of(cls, model: onnx.ModelProto, manifest: Manifest, pictures: Pictures, count: int, threads: int) -> "Scorer":
        """Over ``count`` of the pictures, evenly spread, or all where there are fewer; ``model`` is the fp32 graph."""
        scorer = cls(manifest, threads, [])
        run = scorer._open(model)
        for index in progress(_spread(pictures.count, count), "fp32", min(count, pictures.count)):
            picture = pictures.read(index)
            image = preprocess(picture.image, manifest.input)
            scorer._pictures.append(_Scored(image, picture.label, run(image)))
        return scorer

    def __len__(self) -> int:
        return len(self._pictures)

    def part(self, count: int) -> "Scorer":
        """The same over ``count`` of its pictures, evenly spread."""
        chosen = [self._pictures[index] for index in _spread(len(self), count)]
        return Scorer(self._manifest, self._threads, chosen)

    def loss(self, model: onnx.ModelProto) -> Loss:
        """What ``model`` loses; it takes and gives what the fp32 graph does."""
        run = self._open(model)
        classes = self._manifest.classes
        before, after = ConfusionMatrix(len(classes)), ConfusionMatrix(len(classes))
        equal: list[float] = []
        for picture in self._pictures:
            mask = run(picture.image)
            equal.append(float((mask == picture.reference).mean()))
            if picture.label is not None:
                before.add(picture.label, postprocess(picture.reference, picture.label.shape))
                after.add(picture.label, postprocess(mask, picture.label.shape))
        agreement = 100.0 * (1.0 - float(np.mean(equal)))
        if not before.counts.any():
            return Loss(agreement=agreement, miou=None)
        return Loss(agreement=agreement, miou=100.0 * (scores(before, classes).miou - scores(after, classes).miou))

    def _open(self, model: onnx.ModelProto) -> Callable[[NDArray[np.uint8]], NDArray[np.uint8]]:
        session = open_session(model.SerializeToString(), self._threads, ["CPUExecutionProvider"])
        spec, output = self._manifest.input, self._manifest.output
        return lambda image: np.asarray(session.run([output.name], {spec.name: image})[0][0], np.uint8)


def _spread(total: int, count: int) -> list[int]:
    """``count`` of the numbers below ``total``, at equal distances."""
    count = min(count, total)
    return [number * total // count for number in range(count)]
