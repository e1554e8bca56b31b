"""A TensorRT plan on the GPU it was built for, behind the interface of every other runtime."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from export.bundle import Bundle, BundleError
from export.manifest import FileRecord, Manifest
from export.runner import NotHere
from export.tensorrt.flavour import load_tensorrt
from export.tensorrt.log import Log
from export.tensorrt.target import check_plan
from train.errors import UserError


class PlanRunner:
    """Tensors of torch are the plan's memory; the shapes that come must lie within one of its profiles.

    Raises:
        NotHere: TensorRT, its version or the GPU are not those that the plan was built for, or torch has no CUDA.
        BundleError: TensorRT does not take the file.
    """

    def __init__(self, path: Path, record: FileRecord, manifest: Manifest) -> None:
        _check(path, record, manifest)
        check_torch()
        assert record.built_for is not None
        trt = load_tensorrt(record.built_for.flavour)
        self.runtime = f"{record.runtime} {trt.__version__}, {torch.cuda.get_device_name()}"
        self._input = manifest.input.name
        self._outputs = manifest.output.names
        self._shows_logits = manifest.output.logits
        engine = trt.Runtime(Log(trt).logger).deserialize_cuda_engine(path.read_bytes())
        if engine is None:
            raise BundleError(f"{path}: {record.runtime} {trt.__version__} cannot load it: build it again")
        self._engine = engine  # TensorRT does not keep it alive for its context
        self._context = engine.create_execution_context()

    def run(self, images: NDArray[np.uint8]) -> dict[str, NDArray[Any]]:
        """RGB ``(N, H, W, 3)`` to the plan's outputs by name."""
        device = torch.from_numpy(images).cuda()
        self._context.set_input_shape(self._input, tuple(images.shape))
        self._context.set_tensor_address(self._input, device.data_ptr())
        outputs = {name: self._bind(name) for name in self._outputs}
        stream = torch.cuda.current_stream()
        if not self._context.execute_async_v3(stream.cuda_stream):
            raise UserError(f"the plan takes no images of {images.shape}: build it with a --profile that does")
        stream.synchronize()
        return {name: output.cpu().numpy() for name, output in outputs.items()}

    def logits(self, images: NDArray[np.uint8]) -> NDArray[np.float32] | None:
        """RGB ``(N, H, W, 3)`` to low-resolution logits ``(N, C, h, w)``; None where the plan does not give them."""
        return self.run(images)[self._shows_logits] if self._shows_logits else None

    def _bind(self, name: str) -> torch.Tensor:
        kind = torch.float32 if name == self._shows_logits else torch.uint8
        output = torch.empty(tuple(self._context.get_tensor_shape(name)), dtype=kind, device="cuda")
        self._context.set_tensor_address(name, output.data_ptr())
        return output


def check_torch() -> None:
    """`NotHere` if torch has no GPU here."""
    if not torch.cuda.is_available():
        raise NotHere("this PyTorch has no CUDA here, and a plan needs it for its memory: install one that has")


def _check(path: Path, record: FileRecord, manifest: Manifest) -> None:
    plan = Bundle(path.parent, manifest.model_copy(update={"files": {"plan": record}}))
    try:
        check_plan(plan, "plan")
    except UserError as error:
        raise NotHere(str(error)) from None
