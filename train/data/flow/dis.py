"""Optical flow by OpenCV's dense inverse search: no weights, tens of milliseconds (no torch).

Kroeger et al., "Fast Optical Flow using Dense Inverse Search", ECCV 2016, https://arxiv.org/abs/1603.03590
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from train.data.flow.field import Displacement
from train.errors import UserError

PRESETS = {
    "ultrafast": cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST,
    "fast": cv2.DISOPTICAL_FLOW_PRESET_FAST,
    "medium": cv2.DISOPTICAL_FLOW_PRESET_MEDIUM,
}

_LEAST_SIDE = 12  # pixels: OpenCV refuses less


class DisEstimator:
    """Estimates displacements between two RGB frames ``(H, W, 3)``."""

    def __init__(self, preset: str) -> None:
        self.name = f"dis-{preset}-opencv-{cv2.__version__}"
        self._preset = PRESETS[preset]

    def __call__(self, now: NDArray[np.uint8], then: NDArray[np.uint8]) -> Displacement:
        if min(now.shape[:2]) < _LEAST_SIDE:
            raise UserError(
                f"frames of {now.shape[:2]} (height, width) are too small for dis, which needs {_LEAST_SIDE} pixels a "
                "side: give larger frames or set data.neighbour.provider"
            )
        # A new one each time, for it is cheap, and an old one cannot be sent to the data workers.
        search = cv2.DISOpticalFlow.create(self._preset)
        grey = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in (now, then)]
        return np.asarray(search.calc(grey[0], grey[1], None), np.float32)  # type: ignore[call-overload]
