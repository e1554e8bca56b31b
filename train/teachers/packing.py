"""A teacher's maps of one image as bytes, in fewer bits."""

import zlib
from collections.abc import Mapping

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from train.errors import UserError
from train.models.taps import Tap
from train.teachers.cache_settings import CacheSettings

_CHECKSUM_BYTES = 4
_TOP, _IDS, _REST = "top", "ids", "rest"


def pack(maps: Mapping[Tap, Tensor], settings: CacheSettings) -> bytes:
    """Maps ``(D, h, w)`` of one image.

    Of logits the ``top_k`` largest of each pixel are kept as they are, and of the others what they have in common: the
    logarithm of the mean of their exponentials, so that softmax gives the kept ones their own probabilities.

    Raises:
        UserError: fp16 cannot hold a map.
    """
    tensors: dict[str, Tensor] = {}
    for tap, found in maps.items():
        kept = {"": found}
        if tap == "logits" and 0 < settings.top_k < len(found):
            kept = _top(found.float(), settings.top_k)
        dtype = str(found.dtype).removeprefix("torch.")
        for part, values in kept.items():
            name = "|".join((tap, part, dtype, str(len(found))))
            tensors[name] = _quantised(values, tap, settings).contiguous().cpu()
    content = safetensors.torch.save(tensors)
    return zlib.crc32(content).to_bytes(_CHECKSUM_BYTES, "big") + content


def unpack(content: bytes) -> dict[Tap, Tensor] | None:
    """The maps, in the types that the teacher gave them in; None: damaged."""
    checksum, body = content[:_CHECKSUM_BYTES], content[_CHECKSUM_BYTES:]
    if zlib.crc32(body).to_bytes(_CHECKSUM_BYTES, "big") != checksum:
        return None
    try:
        tensors = safetensors.torch.load(body)
    except SafetensorError:
        return None
    parts: dict[tuple[Tap, str, int], dict[str, Tensor]] = {}
    for name, values in tensors.items():
        tap, part, dtype, channels = name.split("|")
        parts.setdefault((tap, dtype, int(channels)), {})[part] = values
    return {tap: _whole(of, channels).to(getattr(torch, dtype)) for (tap, dtype, channels), of in parts.items()}


def _top(logits: Tensor, count: int) -> dict[str, Tensor]:
    values, ids = logits.topk(count, dim=0)
    others = logits.scatter(0, ids, -torch.inf).logsumexp(dim=0) - torch.tensor(float(len(logits) - count)).log()
    return {_TOP: values, _IDS: ids.to(torch.uint8 if len(logits) <= 256 else torch.int16), _REST: others[None]}


def _whole(parts: dict[str, Tensor], channels: int) -> Tensor:
    if "" in parts:
        return parts[""]
    rest = parts[_REST].expand(channels, -1, -1).clone()
    return rest.scatter(0, parts[_IDS].long(), parts[_TOP])


def _quantised(values: Tensor, tap: Tap, settings: CacheSettings) -> Tensor:
    if not values.is_floating_point() or settings.dtype == "fp32":
        return values
    half = values.half()
    if not torch.isfinite(half).all():
        raise UserError(
            f"teacher.cache.dtype: fp16 cannot hold the teacher's '{tap}', whose largest value is "
            f"{values.abs().max().item():g}: use fp32"
        )
    return half
