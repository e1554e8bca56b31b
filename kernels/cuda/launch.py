"""The launch contract of each kernel, for whoever calls the driver (no torch)."""

import sys
from dataclasses import dataclass

Extent = tuple[int, int, int]
"""``(x, y, z)``, CUDA's order."""


@dataclass(frozen=True)
class Launch:
    """Where a kernel stands and how it is spread over its work."""

    source: str
    """File name in `kernels/cuda`, without its ending; the fatbin has the same name."""
    block: tuple[int, int]
    """Threads along x and y."""
    per_thread: tuple[int, int] = (1, 1)
    """Elements that one thread makes along x and y."""

    def grid(self, width: int, height: int = 1, images: int = 1) -> Extent:
        """Blocks that cover ``width * height`` elements of ``images`` images.

        ``width`` counts what the kernel makes: output columns, or taps, or, for `colorize` and `overlay`, which know
        no rows, all pixels.
        """
        x, y = (block * each for block, each in zip(self.block, self.per_thread, strict=True))
        return -(-width // x), -(-height // y), images


FORMATS = ("nhwc_u8", "nhwc_f32", "nhwc_f16", "nchw_f32", "nchw_f16")
"""What `preprocess` writes: the layout and type of the network's input."""

MODES = ("linear", "area", "box")
"""How `preprocess` resizes; see `resize_mode`."""

# Fatbins stand in bundles and outlive this table: a kernel whose arguments change gets another name.
LAUNCHES: dict[str, Launch] = {
    **{
        f"upsample_argmax_{kind}": Launch("upsample_argmax", block=(32, 4), per_thread=(1, 4))
        for kind in ("f32", "f16", "confidence_f32", "confidence_f16", "confidence_u8_f32", "confidence_u8_f16")
    },
    "linear_taps": Launch("preprocess", block=(128, 1)),
    "area_taps": Launch("preprocess", block=(128, 1)),
    **{f"preprocess_{mode}_{form}": Launch("preprocess", block=(32, 8)) for mode in MODES for form in FORMATS},
    "colorize": Launch("colorize", block=(256, 1), per_thread=(4, 1)),
    "overlay": Launch("colorize", block=(256, 1), per_thread=(4, 1)),
}

SOURCES = tuple(dict.fromkeys(launch.source for launch in LAUNCHES.values()))


def resize_mode(source: tuple[int, int], target: tuple[int, int]) -> str:
    """Which of `MODES` makes ``target`` ``(height, width)`` of ``source`` as `train.data.resize.resize_image` does."""
    if target[0] > source[0] or target[1] > source[1]:
        return "linear"
    # OpenCV's own test: 1/(1/49) is not 49, and such an image takes the general path.
    factors = [1.0 / (new / old) for old, new in zip(source, target, strict=True)]
    whole = all(abs(factor - round(factor)) < sys.float_info.epsilon for factor in factors)
    return "box" if whole else "area"
