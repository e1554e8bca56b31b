"""A TensorRT plan of bare logits, with the kernel behind it that it is served with."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from export.bundle import BundleError
from export.manifest import BARE_LOGITS, FileRecord, Manifest
from export.plan_kernels import load_kernels
from export.plan_runner import PlanRunner
from export.runner import NotHere
from kernels.cuda.module import KernelError
from train.errors import UserError

_DTYPES = {"fp32": torch.float32, "fp16": torch.float16}


class LogitsRunner(PlanRunner):
    """Gives all that the bundle's graph gives.

    Raises:
        NotHere: as `PlanRunner`, or the kernel is not for this GPU.
        BundleError: TensorRT does not take the file.
    """

    def __init__(self, path: Path, record: FileRecord, manifest: Manifest) -> None:
        super().__init__(path, record, manifest)
        assert record.logits is not None
        self._dtype, self._output = _DTYPES[record.logits], manifest.output
        torch.empty(1, device="cuda")  # makes torch's context, which is the device's primary one, current
        try:
            self._kernels = load_kernels(path, record, manifest)
        except BundleError as error:
            raise NotHere(str(error)) from None

    def run(self, images: NDArray[np.uint8]) -> dict[str, NDArray[Any]]:
        """RGB ``(N, H, W, 3)`` to the outputs of the bundle's graph by name."""
        count, height, width, _ = images.shape
        ids, confidence = (torch.empty((count, height, width), dtype=torch.uint8, device="cuda") for _ in range(2))
        stream, logits = torch.cuda.current_stream(), self._execute(images)
        outputs = (ids.data_ptr(), (height, width), confidence.data_ptr())
        try:
            self._kernels.launch(stream.cuda_stream, logits.data_ptr(), logits.shape, *outputs)
        except KernelError as error:
            raise UserError(f"the kernel behind the plan does not run: {error}") from None
        stream.synchronize()
        tensors = {self._output.name: ids, self._output.confidence: confidence, self._output.logits: logits.float()}
        return {name: tensors[name].cpu().numpy() for name in self._output.names}

    def logits(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """RGB ``(N, H, W, 3)`` to low-resolution logits ``(N, C, h, w)``."""
        logits: NDArray[np.float32] = self._execute(images).float().cpu().numpy()
        return logits

    def _execute(self, images: NDArray[np.uint8]) -> Tensor:
        pixels = torch.from_numpy(images).cuda()
        self._context.set_input_shape(self._input, tuple(images.shape))
        self._context.set_tensor_address(self._input, pixels.data_ptr())
        logits = torch.empty(tuple(self._context.get_tensor_shape(BARE_LOGITS)), dtype=self._dtype, device="cuda")
        self._context.set_tensor_address(BARE_LOGITS, logits.data_ptr())
        if not self._context.execute_async_v3(torch.cuda.current_stream().cuda_stream):
            raise UserError(f"the plan takes no images of {images.shape}: build it with a --profile that does")
        return logits
