"""Softmax over the channels of a tile."""

import triton
import triton.language as tl


@triton.jit
def log_softmax(z, inside):
    """Over axis 0 of ``z`` ``[C, P]``; ``inside`` ``[C, 1]`` is False on padding, whose probability is 0.

    Padding gets a large negative value instead of -inf, so that p (log p - log q) is 0 there and not NaN.
    """
    z = tl.where(inside, z, float("-inf"))
    z -= tl.max(z, 0)[None, :]
    z -= tl.log(tl.sum(tl.exp(z), 0))[None, :]
    return tl.where(inside, z, -1e30)
