"""A plan from the uint8 image to bare logits: `upsample_argmax.cu` makes the class ids of them."""

import math

from export.manifest import BARE_LOGITS, Manifest
from export.tensorrt.api import ICudaEngine
from kernels.cuda.module import KernelError
from kernels.cuda.upsample_argmax import UpsampleArgmax
from serve.engines.cuda_driver import CudaDriver, Shape
from serve.engines.plan_at_shape import PlanAtShape
from serve.engines.protocol import DeviceError


class LogitsPlan(PlanAtShape):
    """Such a plan at one shape. No logits of full size are written; confidence costs nothing where nobody asks."""

    def __init__(
        self,
        driver: CudaDriver,
        engine: ICudaEngine,
        manifest: Manifest,
        kernels: UpsampleArgmax,
        shape: Shape,
        profile: int,
    ) -> None:
        self._input, self._kernels = manifest.input.name, kernels
        super().__init__(driver, engine, shape, profile)

    def _allocate(self) -> None:
        self._takes(self._input, self._shape)
        self._low = tuple(self._context.get_tensor_shape(BARE_LOGITS))
        self._image = self._own(self._driver.buffer(self._shape))
        self._logits = self._own(self._driver.memory(math.prod(self._low) * self._kernels.bytes_per_logit))
        self._ids, self._confidence = (self._own(self._driver.buffer(self._shape[:3])) for _ in range(2))
        self._context.set_tensor_address(self._input, self._image.address)
        self._context.set_tensor_address(BARE_LOGITS, self._logits.address)

    def _enqueue(self, with_confidence: bool) -> None:
        confidence = self._confidence if with_confidence else None
        self._driver.upload(self._image)
        self._execute()
        try:
            self._kernels.launch(
                self._driver.stream,
                self._logits.address,
                self._low,
                self._ids.address,
                (self._shape[1], self._shape[2]),
                confidence.address if confidence else None,
            )
        except KernelError as error:
            raise DeviceError.of(error) from None
        self._driver.download(self._ids)
        if confidence is not None:
            self._driver.download(confidence)
