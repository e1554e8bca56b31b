"""Made-up views of a batch for the tests of losses: two small networks, two frames, exact strides."""

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from train.losses.contract import Loss, Neighbour, Views
from train.models.tap_shapes import TapShape, TapShapes
from train.models.taps import Taps

BATCH, CLASSES, HEIGHT, WIDTH = 4, 4, 8, 6
STRIDE = 4
"""Of logits and fused maps; labels are ``(BATCH, HEIGHT * STRIDE, WIDTH * STRIDE)``."""

STUDENT = {"stride:4": 2, "stride:8": 3, "stride:16": 4, "stride:32": 5, "fused": 5, "pre_classifier": 5}
TEACHER = {"stride:4": 3, "stride:8": 2, "stride:16": 6, "stride:32": 4, "fused": 3, "pre_classifier": 3}


def _shape(tap: str, channels: int) -> TapShape:
    return TapShape(channels, int(tap.removeprefix("stride:")) if tap.startswith("stride:") else STRIDE)


SHAPES = TapShapes(
    classes=CLASSES,
    student={tap: _shape(tap, channels) for tap, channels in {**STUDENT, "logits": CLASSES}.items()},
    teacher={tap: _shape(tap, channels) for tap, channels in {**TEACHER, "logits": CLASSES}.items()},
)
ALIKE = replace(SHAPES, teacher=SHAPES.student)
"""A teacher of the student's own shapes."""


def taps(
    seed: int,
    shapes: dict[str, TapShape],
    batch: int = BATCH,
    height: int = HEIGHT,
    width: int = WIDTH,
    spread: float = 3.0,
) -> Taps:
    """Random maps in float64, ``height`` and ``width`` being those of the logits."""
    generator = torch.Generator().manual_seed(seed)

    def randn(shape: TapShape) -> Tensor:
        size = [-(-side * STRIDE // shape.stride) for side in (height, width)]
        return spread * torch.randn(batch, shape.channels, *size, generator=generator, dtype=torch.float64)

    return Taps({tap: randn(shape) for tap, shape in shapes.items()})


def labels(batch: int = BATCH, height: int = HEIGHT, width: int = WIDTH) -> Tensor:
    """Random ids with a fifth ignored, but not all of them."""
    generator = torch.Generator().manual_seed(3)
    size = (batch, height * STRIDE, width * STRIDE)
    label = torch.randint(0, CLASSES, size, generator=generator, dtype=torch.uint8)
    label[torch.rand(size, generator=generator) < 0.2] = 255
    label[0, :STRIDE, :STRIDE] = 1
    return label


def views(batch: int = BATCH, height: int = HEIGHT, width: int = WIDTH, shapes: TapShapes = SHAPES) -> Views:
    """All that a loss can ask for."""
    size = (batch, height, width)
    generator = torch.Generator().manual_seed(7)
    pixels = (batch, height * STRIDE, width * STRIDE)
    images = torch.randn(2, batch, 3, *pixels[1:], generator=generator, dtype=torch.float64)
    neighbour = Neighbour(
        student=taps(4, shapes.student, *size),
        teacher=taps(5, shapes.teacher, *size),
        image=images[0] + 0.1 * images[1],
        flow=1.5 * torch.randn(batch, 2, *pixels[1:], generator=generator, dtype=torch.float64),
        visible=torch.rand(pixels, generator=generator) < 0.8,
    )
    return Views(taps(1, shapes.student, *size), taps(2, shapes.teacher, *size), labels(*size), images[0], neighbour)


def each_map(seen: Views, change: Callable[[Tensor], Tensor]) -> Views:
    """The same views with every map of both networks, on both frames, changed."""
    assert seen.teacher is not None
    assert seen.neighbour is not None
    assert seen.neighbour.teacher is not None
    neighbour = replace(
        seen.neighbour,
        student=seen.neighbour.student.map(change),
        teacher=seen.neighbour.teacher.map(change),
    )
    return replace(seen, student=seen.student.map(change), teacher=seen.teacher.map(change), neighbour=neighbour)


def each_tensor(seen: Views, change: Callable[[Tensor], Tensor]) -> Views:
    """The same views with everything changed, the label, the images and the flow too."""
    seen = each_map(seen, change)
    assert seen.label is not None
    assert seen.image is not None
    assert seen.neighbour is not None
    found = seen.neighbour
    assert found.image is not None
    assert found.flow is not None
    assert found.visible is not None
    neighbour = replace(found, image=change(found.image), flow=change(found.flow), visible=change(found.visible))
    return replace(seen, label=change(seen.label), image=change(seen.image), neighbour=neighbour)


def student_maps(seen: Views) -> list[Tensor]:
    """Every map of the student, of both frames."""
    assert seen.neighbour is not None
    return [*seen.student.maps.values(), *seen.neighbour.student.maps.values()]


def total_and_gradients(loss: Loss, seen: Views) -> tuple[Tensor, list[Tensor]]:
    """The sum of a loss's terms and its gradient at every map of the student; zeros where none arrives."""
    leaves = each_map(seen, lambda tensor: tensor.detach().requires_grad_())
    total = sum(loss(leaves).values(), torch.zeros(()))
    maps = student_maps(leaves)
    gradients = torch.autograd.grad(total, maps, allow_unused=True)
    return total.detach(), [
        torch.zeros_like(leaf) if gradient is None else gradient for leaf, gradient in zip(maps, gradients, strict=True)
    ]


def assert_same(found: tuple[Tensor, list[Tensor]], expected: tuple[Tensor, list[Tensor]]) -> None:
    torch.testing.assert_close(found[0], expected[0], check_dtype=False)
    for one, other in zip(found[1], expected[1], strict=True):
        torch.testing.assert_close(one, other)
