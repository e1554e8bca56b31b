"""Score a network on a dataset exactly as it will be used: resize, predict, and back to the label's size."""

from collections.abc import Iterator
from typing import NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from train.data.dataset import Dataset, Sample
from train.data.resize import Size, resize_ids, resize_image
from train.metrics import ConfusionMatrix
from train.models.build import predict
from train.models.network import SegmentationNetwork


class Prediction(NamedTuple):
    """What a network says of a sample."""

    sample: Sample
    ids: NDArray[np.uint8]
    """Class ids ``(H, W)`` at the size of the sample's label."""


class Samples(Protocol):
    """A dataset, a list of samples, or any other thing that gives samples by number."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> Sample: ...


def predictions(
    network: SegmentationNetwork, dataset: Samples, size: Size, batch_size: int = 8
) -> Iterator[Prediction]:
    """The network's class ids for each sample, in order. The network is left in the mode it came in."""
    training = network.training
    network.eval()
    try:
        for start in range(0, len(dataset), batch_size):
            samples = [dataset[index] for index in range(start, min(start + batch_size, len(dataset)))]
            for sample, ids in zip(samples, _predict_batch(network, samples, size), strict=True):
                yield Prediction(sample, resize_ids(ids, sample.label.shape))
    finally:
        network.train(training)


def evaluate(network: SegmentationNetwork, dataset: Dataset, size: Size) -> ConfusionMatrix:
    """The confusion matrix of a network over a whole split, at the resolution of the labels."""
    matrix = ConfusionMatrix(len(dataset.classes))
    for sample, ids in predictions(network, dataset, size):
        matrix.add(sample.label, ids)
    return matrix


@torch.inference_mode()
def _predict_batch(network: SegmentationNetwork, samples: list[Sample], size: Size) -> NDArray[np.uint8]:
    images = np.stack([resize_image(sample.image, size) for sample in samples])
    batch = torch.from_numpy(images).to(network.mean.device).permute(0, 3, 1, 2)
    ids: NDArray[np.uint8] = predict(network(batch).logits, size).cpu().numpy()
    return ids
