"""A plan from the uint8 image to the class ids: nothing stands around it but the copies."""

import math

from export.manifest import Manifest
from export.tensorrt.api import ICudaEngine
from serve.engines.cuda_driver import CudaDriver, Shape
from serve.engines.plan_at_shape import PlanAtShape

_FLOAT32_BYTES = 4


class WholePlan(PlanAtShape):
    """A plan that takes and gives what the bundle's graph takes and gives, at one shape."""

    def __init__(self, driver: CudaDriver, engine: ICudaEngine, manifest: Manifest, shape: Shape, profile: int) -> None:
        self._input, self._output = manifest.input.name, manifest.output
        super().__init__(driver, engine, shape, profile)

    def _allocate(self) -> None:
        self._takes(self._input, self._shape)
        self._image = self._own(self._driver.buffer(self._shape))
        self._context.set_tensor_address(self._input, self._image.address)
        buffers = {}
        for name in self._output.names:
            shape = tuple(self._context.get_tensor_shape(name))
            if name == self._output.logits:  # nobody asks for them; the plan gives them all the same
                memory = self._own(self._driver.memory(math.prod(shape) * _FLOAT32_BYTES))
            else:
                memory = buffers[name] = self._own(self._driver.buffer(shape))
            self._context.set_tensor_address(name, memory.address)
        self._ids = buffers[self._output.name]
        self._confidence = buffers[self._output.confidence] if self._output.confidence else None

    def _enqueue(self, with_confidence: bool) -> None:
        self._driver.upload(self._image)
        self._execute()
        self._driver.download(self._ids)
        if with_confidence and self._confidence is not None:
            self._driver.download(self._confidence)
