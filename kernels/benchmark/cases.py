"""The shapes, and what runs on them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

import kernels
from kernels.benchmark import eager

Inputs = dict[str, Tensor]
"""student, teacher and label, in this order; the gradient is taken of the student."""
Loss = Callable[[Inputs], Tensor]


@dataclass(frozen=True)
class Size:
    """A batch of maps ``(N, C, H, W)``."""

    name: str
    batch: int
    channels: int
    height: int
    width: int

    def __str__(self) -> str:
        return f"{self.name} {self.batch}x{self.channels}x{self.height}x{self.width}"

    @property
    def elements(self) -> int:
        """Of one map."""
        return self.batch * self.channels * self.height * self.width


LOGITS = {
    "camvid": Size("camvid", 8, 11, 360, 480),
    "voc": Size("voc", 8, 21, 512, 512),
    "cityscapes": Size("cityscapes", 8, 19, 512, 1024),
    "ade": Size("ade", 8, 150, 512, 512),
}
FEATURES = {
    "camvid": Size("camvid/8", 4, 128, 45, 60),
    "pixels-8192": Size("pixels", 1, 128, 64, 128),
    "pixels-65536": Size("pixels", 1, 128, 256, 256),
    "voc": Size("voc/8", 4, 256, 64, 64),
    "cityscapes": Size("cityscapes/8", 4, 512, 64, 128),
    "ade": Size("ade/8", 4, 512, 64, 64),
}
SHAPES = tuple(LOGITS | FEATURES)
SHAPES_ON_CPU = ("camvid", "pixels-8192", "pixels-65536")
"""A quarter of an hour; all of them take hours there."""


@dataclass(frozen=True)
class Yardstick:
    """Another computation on the same inputs, whose rate ours is compared with."""

    form: str
    loss: Loss
    products: tuple[float, float]
    """As those of a `Case`."""


@dataclass(frozen=True)
class Case:
    """One operation at one size."""

    operation: str
    size: Size
    inputs: Callable[[torch.device, torch.dtype], Inputs]
    ours: Loss
    eager: Loss
    maps: tuple[float, float]
    """What must at least be moved, in units of one map: forward, and forward with backward."""
    products: tuple[float, float] = (0, 0)
    """Matrix products that must at least be made, in operations."""
    eager_elements: int = 0
    """What the eager form holds at its peak, about."""
    yardstick: Yardstick | None = None


def cases(names: tuple[str, ...] = SHAPES) -> Iterator[Case]:
    """Those of the shapes in ``names``."""
    for name in names:
        if name in LOGITS:
            yield from on_logits(LOGITS[name])
        if name in FEATURES:
            yield from on_pairs(FEATURES[name])
            yield from on_features(FEATURES[name])


def _maps(size: Size, stride: int = 1, spread: float = 1.0) -> Callable[[torch.device, torch.dtype], Inputs]:
    def make(device: torch.device, dtype: torch.dtype) -> Inputs:
        generator = torch.Generator().manual_seed(0)
        shape = (size.batch, size.channels, size.height // stride, size.width // stride)
        student, teacher = (spread * torch.randn(shape, generator=generator).to(device, dtype) for _ in range(2))
        label = torch.randint(0, 20, (size.batch, size.height, size.width), generator=generator).clamp(
            max=min(size.channels, 20) - 1
        )
        label[:, : size.height // 10] = 255
        return {"student": student.requires_grad_(), "teacher": teacher, "label": label.to(device, torch.uint8)}

    return make


def on_logits(size: Size) -> Iterator[Case]:
    """The operations on logits; ``size`` is the label's, upsampled logits have a stride of 4."""
    plain, quarter, target = _maps(size), _maps(size, 4), (size.height, size.width)

    def upsampled_pixel_kl(i: Inputs) -> Tensor:
        return kernels.pixel_kl(*i.values(), size=target)

    held = 8 * size.elements
    yield Case("pixel_kl", size, plain, _of_all(kernels.pixel_kl), _of_all(eager.pixel_kl), (2, 5), eager_elements=held)
    upsampled = (upsampled_pixel_kl, _of_all(eager.pixel_kl_upsampled))
    yield Case("pixel_kl_upsampled", size, quarter, *upsampled, (2 / 16, 5 / 16), eager_elements=held)
    yield Case(
        "channel_kl", size, plain, _of_pair(kernels.channel_kl), _of_pair(eager.channel_kl), (2, 5), eager_elements=held
    )
    entropies = (_of_label(kernels.cross_entropy), _of_label(eager.cross_entropy))
    yield Case("cross_entropy", size, plain, *entropies, (1, 3), eager_elements=held)
    yield Case("cross_entropy_upsampled", size, quarter, *entropies, (1 / 16, 3 / 16), eager_elements=held)

    def condensation(i: Inputs) -> Tensor:
        return kernels.condensation(i["teacher"]).spatial.mean()

    yield Case(
        "condensation",
        size,
        plain,
        condensation,
        lambda i: eager.condensation(i["teacher"]),
        (1, 1),
        eager_elements=held,
    )


def on_pairs(size: Size) -> Iterator[Case]:
    """The operations that pair all pixels."""
    make, (gram, row) = _features(size), _products(size)
    matrix = size.batch * (size.height * size.width) ** 2
    # Forward two products, backward four.
    sdpa = Yardstick("sdpa", lambda i: eager.self_attention(i["student"]), (2 * row, 6 * row))
    for operation, products, elements, yardstick in (
        ("pairwise_mse", (3 * gram, 5 * gram), matrix, None),
        ("attention_kl", (2 * row, 4 * row), matrix, sdpa),
        ("cka", (3 * gram, 5 * gram), size.batch * matrix, None),
    ):
        forms = (_of_pair(getattr(kernels, operation)), _of_pair(getattr(eager, operation)))
        yield Case(operation, size, make, *forms, (2, 5), products, 5 * elements, yardstick)


def on_features(size: Size) -> Iterator[Case]:
    """The other operations on features, labels at their resolution."""
    make, (gram, row), classes = _features(size), _products(size), 20

    def class_means(i: Inputs) -> Tensor:
        return kernels.class_means(i["student"], i["label"], classes).cosine.mean()

    means = (class_means, lambda i: eager.class_means(i["student"], i["label"], classes))
    yield Case("class_means", size, make, *means, (1, 3), eager_elements=(2 * classes + 8) * size.elements)
    channels = (_of_student(kernels.channel_attention), _of_student(eager.channel_attention))
    yield Case("channel_attention", size, make, *channels, (2, 4), (2 * gram, 5 * gram), 8 * size.elements)
    blocks = (_of_projections(kernels.position_attention), _of_projections(eager.position_attention))
    # Queries and keys have an eighth of the channels: 9/8 of a product of rows forward, twice that backward.
    products = (9 / 8 * row / 25, 27 / 8 * row / 25)
    yield Case("position_attention", size, make, *blocks, (2, 4), products, 16 * size.elements)


def _features(size: Size) -> Callable[[torch.device, torch.dtype], Inputs]:
    # Scores of attention are then spread by 1: wider ones have probabilities of 1e-40, whose arithmetic is slow.
    return _maps(size, spread=size.channels**-0.25)


def _products(size: Size) -> tuple[float, float]:
    """Operations of a D×D and of a P×P product of all images."""
    pixels, d = size.height * size.width, size.channels
    return 2 * size.batch * pixels * d**2, 2 * size.batch * pixels**2 * d


def _of_all(operation: Callable[..., Tensor]) -> Loss:
    return lambda i: operation(*i.values())


def _of_pair(operation: Callable[..., Tensor]) -> Loss:
    return lambda i: operation(i["student"], i["teacher"])


def _of_label(operation: Callable[..., Tensor]) -> Loss:
    return lambda i: operation(i["student"], i["label"])


def _of_student(operation: Callable[..., Tensor]) -> Loss:
    return lambda i: operation(i["student"]).mean()


def _of_projections(operation: Callable[..., Tensor]) -> Loss:
    """Query and key of an eighth of the value's channels, as in CSKD."""

    def loss(i: Inputs) -> Tensor:
        features = i["student"]
        d = max(1, features.shape[1] // 8)
        return operation(features[:, :d], features[:, -d:], features).mean()

    return loss
