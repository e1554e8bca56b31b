"""Score a network on a dataset exactly as it will be used: resize, predict, and back to the label's size."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from train import processes
from train.data.dataset import Dataset, Sample
from train.data.resize import Size, resize_confidence, resize_ids, resize_image
from train.metrics import ConfusionMatrix
from train.models.build import confidence, predict
from train.models.network import SegmentationNetwork

_BATCH = 8


class Prediction(NamedTuple):
    """What a network says of a sample."""

    sample: Sample
    ids: NDArray[np.uint8]
    """Class ids ``(H, W)`` at the size of the sample's label."""
    confidence: NDArray[np.float32] | None = None
    """Softmax probability of those ids, ``(H, W)``; None: not asked for."""


class Samples(Protocol):
    """A dataset, a list of samples, or any other thing that gives samples by number."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> Sample: ...


def predictions(
    network: SegmentationNetwork, dataset: Samples, size: Size, batch_size: int = _BATCH, confident: bool = False
) -> Iterator[Prediction]:
    """The network's class ids for each sample, in order, and their confidence where ``confident``.

    The network is left in the mode it came in.
    """
    training = network.training
    network.eval()
    try:
        for start in range(0, len(dataset), batch_size):
            samples = [dataset[index] for index in range(start, min(start + batch_size, len(dataset)))]
            found, sure = _predict_batch(network, samples, size, confident)
            for number, sample in enumerate(samples):
                shape = sample.label.shape
                share = None if sure is None else resize_confidence(sure[number], shape)
                yield Prediction(sample, resize_ids(found[number], shape), share)
    finally:
        network.train(training)


def evaluate(network: SegmentationNetwork, dataset: Dataset, size: Size) -> ConfusionMatrix:
    """The confusion matrix of a network over a whole split, at the resolution of the labels.

    Processes share the split, a batch each in turn: the same images are predicted together in any number of them.
    """
    matrix = ConfusionMatrix(len(dataset.classes))
    own = [index for index in range(len(dataset)) if index // _BATCH % processes.count() == processes.rank()]
    for prediction in predictions(network, _Part(dataset, own), size):
        matrix.add(prediction.sample.label, prediction.ids)
    matrix.counts = processes.total(torch.from_numpy(matrix.counts)).numpy()
    return matrix


@dataclass(frozen=True)
class _Part:
    samples: Samples
    indices: list[int]

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, number: int) -> Sample:
        return self.samples[self.indices[number]]


@torch.inference_mode()
def _predict_batch(
    network: SegmentationNetwork, samples: list[Sample], size: Size, confident: bool
) -> tuple[NDArray[np.uint8], NDArray[np.float32] | None]:
    images = np.stack([resize_image(sample.image, size) for sample in samples])
    batch = torch.from_numpy(images).to(network.mean.device).permute(0, 3, 1, 2)
    logits = network(batch).logits
    ids: NDArray[np.uint8] = predict(logits, size).cpu().numpy()
    return ids, confidence(logits, size).cpu().numpy() if confident else None
