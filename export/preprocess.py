"""From a picture to the network's input and from its class ids back to the picture (no torch).

The resize itself is `train.data.resize`, which training's evaluation calls too.
"""

import numpy as np
from numpy.typing import NDArray

from export.bundle import InputSpec
from train.data.resize import Size, resize_ids, resize_image, round_to_multiple


def network_size(source: Size, spec: InputSpec, native: bool = False) -> Size:
    """The ``(height, width)`` at which a picture of size ``source`` goes through the network.

    The size the student was scored at; with ``native``, where the graph has dynamic sizes, the picture's own,
    rounded to the nearest multiple the network accepts.
    """
    if native and spec.dynamic_size:
        return round_to_multiple(source, spec.multiple)
    return spec.height, spec.width


def preprocess(image: NDArray[np.uint8], size: Size) -> NDArray[np.uint8]:
    """RGB ``(H, W, 3)`` to the graph's input ``(1, *size, 3)``, uint8."""
    return np.ascontiguousarray(resize_image(image, size)[None])


def postprocess(mask: NDArray[np.uint8], size: Size) -> NDArray[np.uint8]:
    """The graph's class ids ``(h, w)`` to the picture's own ``size``."""
    return resize_ids(mask, size)
