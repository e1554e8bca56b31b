"""The PyTorch student behind the interface of every other runtime: what the files of a bundle are timed against."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from train.data.resize import Size
from train.models.build import predict
from train.models.network import SegmentationNetwork


class _Predictor(nn.Module):
    """Images ``(N, H, W, 3)`` uint8 to class ids ``(N, H, W)``, as evaluation computes them."""

    def __init__(self, network: SegmentationNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> Tensor:
        size: Size = (image.shape[1], image.shape[2])
        return predict(self.network(image.float().permute(0, 3, 1, 2)).logits, size)


class TorchRunner:
    """Eager PyTorch on the CPU, or `torch.compile` at its defaults; on as many threads as torch is set to."""

    def __init__(self, network: SegmentationNetwork, compiled: bool) -> None:
        self.runtime = f"pytorch {torch.__version__.partition('+')[0]}, {'torch.compile' if compiled else 'eager'}, cpu"
        predictor = _Predictor(network).eval()
        self._call: Any = torch.compile(predictor) if compiled else predictor

    def run(self, images: NDArray[np.uint8]) -> dict[str, NDArray[Any]]:
        """RGB ``(N, H, W, 3)`` to ``mask``."""
        with torch.inference_mode():
            return {"mask": self._call(torch.from_numpy(images)).numpy()}

    def logits(self, images: NDArray[np.uint8]) -> None:
        """None: a timed network gives class ids only."""
