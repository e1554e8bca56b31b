"""The precision in which losses are summed."""

import torch
from torch import Tensor


def accumulable(tensor: Tensor) -> Tensor:
    """``tensor`` in fp32 where it is of half precision; fp32 and fp64 as they are."""
    return tensor.float() if tensor.dtype in (torch.float16, torch.bfloat16) else tensor
