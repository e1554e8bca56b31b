"""What was tried against flicker besides `serve.smoothing`."""

import numpy as np
from numpy.typing import NDArray

from serve.engines.class_map import class_map
from serve.smoothing import Smoothing

_CLASSES = 11  # of CamVid


class Everywhere(Smoothing):
    """Smoothing whether the picture stays or not."""

    def _moved(self, image: NDArray[np.uint8], size: tuple[int, ...], threshold: int) -> NDArray[np.bool_] | None:
        moved = super()._moved(image, size, threshold)
        return None if moved is None else np.zeros_like(moved)


class OfProbabilities(Smoothing):
    """The mean of the softmax in place of the logits."""

    def of_logits(self, logits: NDArray[np.float32], image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        powers = np.exp(logits - logits.max(0))
        return super().of_logits((powers / powers.sum(0)).astype(np.float32), image)


class Votes(Smoothing):
    """A running mean of each class's mask, the largest of which is shown."""

    def of_ids(self, ids: NDArray[np.uint8], _: NDArray[np.uint8]) -> NDArray[np.uint8]:
        votes = (ids == np.arange(_CLASSES)[:, None, None]).astype(np.float32)
        self._mean = votes if self._mean is None else self._mean_weight * self._mean + (1 - self._mean_weight) * votes
        return class_map(self._mean, 1)
