"""Optimisation profiles: the input shapes that a plan takes, and the one it is tuned for (no torch)."""

import re

from export.manifest import InputSpec, Profile, Shape
from train.errors import UserError

FORM = "min:opt:max, each a batch size N or a shape NxHxW in pixels, e.g. 1:4:8 or 1x352x480:1x352x480:4x704x960"

_SHAPE = re.compile(r"(\d+)(?:x(\d+)x(\d+))?")


def default_profile(spec: InputSpec) -> Profile:
    """One picture at the size the student was scored at: what a request needs, and nothing is left to decide later."""
    shape = (1, spec.height, spec.width, 3)
    return Profile(min=shape, opt=shape, max=shape)


def parse_profile(text: str, spec: InputSpec) -> Profile:
    """Read ``min:opt:max``; a batch size alone is at the manifest's height and width.

    Raises:
        UserError: not of this form, not in order, or not what the graph takes.
    """
    parts = text.split(":")
    matches = [_SHAPE.fullmatch(part) for part in parts]
    if len(parts) != 3 or None in matches:
        raise UserError(f"--profile {text}: not understood: give {FORM}")
    low, best, high = (_shape(match, spec) for match in matches if match)
    _check_order(text, low, best, high)
    for shape in (low, best, high):
        _check_fits(text, shape, spec)
    return Profile(min=low, opt=best, max=high)


def check_verifiable(profile: Profile, spec: InputSpec) -> None:
    """Check that a plan takes one picture of the bundle's size, which is what it is verified on.

    Raises:
        UserError: it does not.
    """
    picture = (1, spec.height, spec.width, 3)
    if not all(low <= side <= high for low, side, high in zip(profile.min, picture, profile.max, strict=True)):
        raise UserError(
            f"--profile: the first one takes no single picture of {spec.height}x{spec.width}, which the plan is "
            "verified on: give such a one first, or --no-verify"
        )


def _shape(match: re.Match[str], spec: InputSpec) -> Shape:
    batch, height, width = match.groups()
    return (int(batch), int(height or spec.height), int(width or spec.width), 3)


def _check_order(text: str, low: Shape, best: Shape, high: Shape) -> None:
    for dimension, *sizes in zip(("batch", "height", "width"), low, best, high, strict=False):
        names = ("min", "opt", "max")
        for index in (0, 1):
            if sizes[index] > sizes[index + 1]:
                raise UserError(
                    f"--profile {text}: {dimension}: {names[index]} {sizes[index]} is above {names[index + 1]} "
                    f"{sizes[index + 1]}: give min <= opt <= max"
                )


def _check_fits(text: str, shape: Shape, spec: InputSpec) -> None:
    batch, height, width, _ = shape
    if min(shape) < 1:
        raise UserError(f"--profile {text}: {batch}x{height}x{width} is empty: at least 1 in each dimension")
    if height % spec.multiple or width % spec.multiple:
        raise UserError(
            f"--profile {text}: {height}x{width}: both must be multiples of {spec.multiple}, the student's stride"
        )
    if min(height, width) < spec.smallest:
        raise UserError(f"--profile {text}: {height}x{width}: the student takes no side below {spec.smallest} pixels")
    if not spec.dynamic_batch and batch != 1:
        raise UserError(f"--profile {text}: the graph takes batch 1 only: export it with --shapes batch or dynamic")
    if not spec.dynamic_size and (height, width) != (spec.height, spec.width):
        raise UserError(
            f"--profile {text}: the graph takes {spec.height}x{spec.width} only: export it with --shapes dynamic"
        )
