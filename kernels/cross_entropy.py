"""Cross-entropy of logits against labels, at the labels' resolution."""

from torch import Tensor
from torch.nn import functional as F

from kernels.choice import use_tiles, use_triton
from kernels.precision import accumulable
from kernels.tiled.bilinear import upsample
from kernels.tiled.by_image import SumByImage
from kernels.tiled.cross_entropy import TiledCrossEntropy
from kernels.valid import IGNORE_INDEX


def cross_entropy(logits: Tensor, label: Tensor, *, align_corners: bool = False) -> Tensor:
    """-Σ_i log softmax_c(z_i)[y_i] / #valid over the valid pixels i, with z upsampled bilinearly to the label's size.

    Args:
        logits: ``(N, C, h, w)``, of any resolution.
        label: ``(N, H, W)``, integer class ids below C, or 255 = ignore.
        align_corners: as in `torch.nn.functional.interpolate`, for the upsampling.

    Returns:
        A scalar, in fp32 for logits of half precision; 0 where no pixel is valid.
    """
    if use_triton(logits):
        return _on_gpu(logits, label, align_corners)
    if use_tiles(logits):
        return _in_tiles(logits, label, align_corners)
    return reference_cross_entropy(logits, label, align_corners=align_corners)


def _in_tiles(logits: Tensor, label: Tensor, align_corners: bool) -> Tensor:
    size, valid = (label.shape[-2], label.shape[-1]), (label != IGNORE_INDEX).sum().clamp(min=1)
    weight = 1 / valid.to(accumulable(logits).dtype)

    def total(logits: Tensor, images: slice) -> Tensor:
        found: Tensor = TiledCrossEntropy.apply(logits.flatten(2), label[images].flatten(1), weight)
        return found

    if logits.shape[-2:] == size:
        return total(logits, slice(None))

    def of_image(logits: Tensor, index: int) -> Tensor:
        return total(upsample(accumulable(logits), size, align_corners), slice(index, index + 1))

    result: Tensor = SumByImage.apply(logits, of_image)
    return result


def _on_gpu(logits: Tensor, label: Tensor, align_corners: bool) -> Tensor:
    sums: Tensor
    if logits.shape[-2:] == label.shape[-2:]:
        from kernels.triton.cross_entropy import cross_entropy_sums

        sums = cross_entropy_sums(logits, label)
    else:
        from kernels.triton.cross_entropy_upsampled import cross_entropy_upsampled_sums

        sums = cross_entropy_upsampled_sums(logits, label, align_corners)
    return sums[0] / sums[1].detach().clamp(min=1)


def reference_cross_entropy(logits: Tensor, label: Tensor, *, align_corners: bool = False) -> Tensor:
    """`cross_entropy` in plain PyTorch."""
    logits = accumulable(logits)
    if logits.shape[-2:] != label.shape[-2:]:
        logits = F.interpolate(logits, label.shape[-2:], mode="bilinear", align_corners=align_corners)
    total = F.cross_entropy(logits, label.long(), ignore_index=IGNORE_INDEX, reduction="sum")
    return total / (label != IGNORE_INDEX).sum().clamp(min=1)
