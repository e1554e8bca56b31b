"""From a picture to the network's input and from its class ids back to the picture (no torch).

The resize itself is `train.data.resize`, which training's evaluation calls too.
"""

import numpy as np
from numpy.typing import NDArray

from export.manifest import InputSpec
from train.data.resize import Size, resize_ids, resize_image


def preprocess(image: NDArray[np.uint8], spec: InputSpec) -> NDArray[np.uint8]:
    """RGB ``(H, W, 3)`` to the graph's input ``(1, spec.height, spec.width, 3)``, uint8."""
    return np.ascontiguousarray(resize_image(image, (spec.height, spec.width))[None])


def postprocess(mask: NDArray[np.uint8], size: Size) -> NDArray[np.uint8]:
    """The graph's class ids ``(h, w)`` to the picture's own ``size``."""
    return resize_ids(mask, size)
