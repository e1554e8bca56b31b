"""Optical flow by torchvision's RAFT, from weights that lie in torch's own cache; nothing is downloaded.

Teed and Deng, "RAFT: Recurrent All-Pairs Field Transforms for Optical Flow", ECCV 2020,
https://arxiv.org/abs/2003.12039
"""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from torchvision.models.optical_flow import Raft_Small_Weights, raft_small

from train.data.flow.field import Displacement
from train.errors import UserError

_STRIDE = 8
_LEAST_SIDE = 128  # pixels: RAFT's coarsest correlations vanish below


class RaftEstimator:
    """Estimates displacements between two RGB frames ``(H, W, 3)``, on the CPU: about a second a pair.

    Raises:
        UserError: the weights are not there, or not those of RAFT.
    """

    def __init__(self) -> None:
        weights = Raft_Small_Weights.C_T_V2
        path = Path(torch.hub.get_dir()) / "checkpoints" / Path(weights.url).name
        self.name = f"raft-small-{path.stem}"
        if not path.is_file():
            raise UserError(
                f"{path}: no weights of RAFT: download {weights.url} to there, or set data.neighbour.provider to dis"
            )
        self._network = _load(path)

    @torch.inference_mode()
    def __call__(self, now: NDArray[np.uint8], then: NDArray[np.uint8]) -> Displacement:
        height, width = now.shape[:2]
        flow = self._network(_prepare(now), _prepare(then))[-1][0, :, :height, :width]
        return np.ascontiguousarray(flow.permute(1, 2, 0).numpy(), np.float32)


def _load(path: Path) -> nn.Module:
    network: nn.Module = raft_small()
    try:
        network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    except Exception as error:  # of a damaged file torch raises nearly anything
        reason = " ".join(str(error).split())[:120]
        raise UserError(f"{path}: no weights of RAFT small ({reason}): download them again") from None
    return network.eval()


def _prepare(frame: NDArray[np.uint8]) -> Tensor:
    """``(1, 3, H', W')`` in -1..1, its last rows and columns repeated until RAFT can take it."""
    image = torch.from_numpy(np.ascontiguousarray(frame)).permute(2, 0, 1)[None].float() / 127.5 - 1
    height, width = (max(_LEAST_SIDE, -(-side // _STRIDE) * _STRIDE) for side in image.shape[-2:])
    return functional.pad(image, (0, width - image.shape[-1], 0, height - image.shape[-2]), mode="replicate")
