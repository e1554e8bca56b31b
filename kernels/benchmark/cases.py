"""The shapes, and what runs on them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

import kernels
from kernels.benchmark import eager

Inputs = dict[str, Tensor]
"""student, teacher and label, in this order; the gradient is taken of the student."""


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
}


@dataclass(frozen=True)
class Case:
    """One operation at one size."""

    operation: str
    size: Size
    inputs: Callable[[torch.device, torch.dtype], Inputs]
    ours: Callable[[Inputs], Tensor]
    eager: Callable[[Inputs], Tensor]
    maps: tuple[float, float]
    """What must at least be moved, in units of one map: forward, and forward with backward."""
    products: tuple[float, float] = (0, 0)
    """Matrix products that must at least be made, in operations."""
    eager_elements: int = 0
    """Elements of the largest matrix that the eager form makes."""


def cases(names: list[str] | None = None) -> Iterator[Case]:
    """All, or those of the sizes in ``names``."""
    for name, size in LOGITS.items():
        if names is None or name in names:
            yield from on_logits(size)
    for name, size in FEATURES.items():
        if names is None or name in names:
            yield from on_features(size)


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
    """The operations on logits; ``size`` is the label's."""
    plain, quarter, target = _maps(size), _maps(size, 4), (size.height, size.width)
    yield Case(
        "pixel_kl", size, plain, lambda i: kernels.pixel_kl(*i.values()), lambda i: eager.pixel_kl(*i.values()), (2, 5)
    )
    yield Case(
        "pixel_kl_upsampled",
        size,
        quarter,
        lambda i: kernels.pixel_kl(*i.values(), size=target),
        lambda i: eager.pixel_kl_upsampled(*i.values()),
        (2 / 16, 5 / 16),
    )
    yield Case(
        "channel_kl",
        size,
        plain,
        lambda i: kernels.channel_kl(i["student"], i["teacher"]),
        lambda i: eager.channel_kl(i["student"], i["teacher"]),
        (2, 5),
    )
    yield Case(
        "cross_entropy_upsampled",
        size,
        quarter,
        lambda i: kernels.cross_entropy(i["student"], i["label"]),
        lambda i: eager.cross_entropy_upsampled(i["student"], i["label"]),
        (1 / 16, 3 / 16),
    )
    yield Case(
        "condensation",
        size,
        plain,
        lambda i: kernels.condensation(i["teacher"]).spatial.mean(),
        lambda i: eager.condensation(i["teacher"]),
        (1, 1),
    )


def on_features(size: Size) -> Iterator[Case]:
    """The operations on features, labels at their resolution."""
    pixels, d = size.height * size.width, size.channels
    # Scores of attention are then spread by 1: wider ones have probabilities of 1e-40, whose arithmetic is slow.
    make = _maps(size, spread=d**-0.25)
    matrix, gram = size.batch * pixels**2, 2 * size.batch * pixels * d**2
    rows = 2 * size.batch * pixels**2 * d
    both = ("student", "teacher")
    yield Case(
        "pairwise_mse",
        size,
        make,
        lambda i: kernels.pairwise_mse(*(i[k] for k in both)),
        lambda i: eager.pairwise_mse(*(i[k] for k in both)),
        (2, 5),
        (3 * gram, 5 * gram),
        matrix,
    )
    yield Case(
        "attention_kl",
        size,
        make,
        lambda i: kernels.attention_kl(*(i[k] for k in both)),
        lambda i: eager.attention_kl(*(i[k] for k in both)),
        (2, 5),
        (2 * rows, 4 * rows),
        matrix,
    )
    yield Case(
        "cka",
        size,
        make,
        lambda i: kernels.cka(*(i[k] for k in both)),
        lambda i: eager.cka(*(i[k] for k in both)),
        (2, 5),
        (3 * gram, 5 * gram),
        (size.batch * pixels) ** 2,
    )
    yield Case(
        "class_means",
        size,
        make,
        lambda i: kernels.class_means(i["student"], i["label"], 20).cosine.mean(),
        lambda i: eager.class_means(i["student"], i["label"], 20),
        (1, 3),
    )
    yield Case(
        "channel_attention",
        size,
        make,
        lambda i: kernels.channel_attention(i["student"]).mean(),
        lambda i: eager.channel_attention(i["student"]),
        (2, 4),
        (2 * gram, 5 * gram),
    )
    yield Case(
        "position_attention",
        size,
        make,
        lambda i: kernels.position_attention(i["student"], i["student"], i["student"]).mean(),
        lambda i: eager.position_attention(i["student"]),
        (2, 4),
        (2 * rows / 25, 6 * rows / 25),
    )
