"""What an ONNX graph takes, read from the file as far as it says."""

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

from train.errors import UserError

Layout = Literal["NCHW", "NHWC"]

_TYPES = {"tensor(uint8)": "uint8", "tensor(float)": "float32", "tensor(float16)": "float16"}


class OnnxInput(NamedTuple):
    """The one input of a graph."""

    name: str
    dtype: str
    """uint8, float32 or float16."""
    layout: Layout
    batch: int | None
    """None: any."""
    size: tuple[int, int] | None
    """Height and width, pixels; None: any."""


def read_input(inputs: Sequence[Any], stated: Layout | None, title: str) -> OnnxInput:
    """The input of a graph, of ONNX Runtime's description of all of them.

    Raises:
        UserError: there are several, or it takes no RGB images in a type and layout that is known here.
    """
    if len(inputs) != 1:
        names = ", ".join(one.name for one in inputs)
        raise UserError(f"teacher: {title}: has {len(inputs)} inputs ({names}): export it with the image alone")
    one = inputs[0]
    shape = [side if isinstance(side, int) else None for side in one.shape]
    if one.type not in _TYPES:
        raise UserError(
            f"teacher: {title}: its input '{one.name}' is {one.type}: export it for uint8, float32 or float16 images"
        )
    if len(shape) != 4:
        raise UserError(
            f"teacher: {title}: its input '{one.name}' is {one.shape}, no batch of images: export it with four "
            "dimensions, (N, 3, H, W) or (N, H, W, 3)"
        )
    layout = _layout(shape, stated, f"{title}: its input '{one.name}' is {one.shape}")
    height, width = shape[2:] if layout == "NCHW" else shape[1:3]
    if (height is None) != (width is None):
        raise UserError(f"teacher: {title}: its input is {one.shape}: only one side is fixed: fix both, or none")
    size = None if height is None or width is None else (height, width)
    return OnnxInput(one.name, _TYPES[one.type], layout, shape[0], size)


def _layout(shape: list[int | None], stated: Layout | None, where: str) -> Layout:
    channels: dict[Layout, int | None] = {"NCHW": shape[1], "NHWC": shape[3]}
    fits: list[Layout] = [layout for layout, count in channels.items() if count == 3]
    if stated is not None:
        if channels[stated] not in (3, None):
            raise UserError(f"teacher: {where}: as {stated} it has {channels[stated]} channels: correct teacher.layout")
        return stated
    if len(fits) != 1:
        if None not in channels.values() and not fits:
            raise UserError(f"teacher: {where}: no side of it is the 3 channels of RGB: export it for RGB images")
        raise UserError(
            f"teacher: {where}: which side is the channels cannot be told: set teacher.layout, NCHW or NHWC"
        )
    return fits[0]
