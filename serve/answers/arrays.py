"""The class map as an array: its bare bytes, or NumPy's file format."""

import io

import numpy as np
from numpy.typing import NDArray

from export.manifest import Manifest
from serve.segmentation import AnswerOptions, Segmentation

SHAPE_HEADER = "Segdistill-Shape"
"""``H,W``, or ``2,H,W`` with the confidence behind the class ids."""

DTYPE_HEADER = "Segdistill-Dtype"


def encode_raw(segmentation: Segmentation, _: Manifest, __: AnswerOptions) -> tuple[bytes, dict[str, str]]:
    """The bytes of the array in C order, its shape and type in two headers."""
    array = _array(segmentation)
    return array.tobytes(), {SHAPE_HEADER: ",".join(map(str, array.shape)), DTYPE_HEADER: str(array.dtype)}


def encode_npy(segmentation: Segmentation, _: Manifest, __: AnswerOptions) -> tuple[bytes, dict[str, str]]:
    """An ``.npy`` file, for `numpy.load` (NumPy Enhancement Proposal 1)."""
    file = io.BytesIO()
    np.lib.format.write_array(file, _array(segmentation), allow_pickle=False)
    return file.getvalue(), {}


def _array(segmentation: Segmentation) -> NDArray[np.uint8]:
    """Class ids ``(H, W)``, or with the confidence ``(2, H, W)``."""
    if segmentation.confidence is None:
        return segmentation.ids
    return np.stack([segmentation.ids, segmentation.confidence])
