"""What `kernels.cuda.upsample_argmax` launches on a GPU, on the CPU."""

import numpy as np

from tests.kernels.cuda.on_cpu.kernels import Run

_SUFFIXES = {np.dtype(np.float32): "f32", np.dtype(np.float16): "f16"}


def class_map(run: Run, logits: np.ndarray, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Logits ``(N, C, h, w)`` to class ids ``(N, *size)`` and their confidence, both uint8."""
    count, *low = logits.shape
    ids, confidence = (np.zeros((count, *size), np.uint8) for _ in range(2))
    name = f"upsample_argmax_confidence_u8_{_SUFFIXES[logits.dtype]}"
    run(name, logits, *low, ids, confidence, *size, width=size[1], height=size[0], images=count)
    return ids, confidence
