"""A TensorRT plan at one input shape: a context, memory and a CUDA graph of its own, all made once."""

import numpy as np
from numpy.typing import NDArray

from export.manifest import Manifest, OutputSpec
from export.tensorrt.api import ICudaEngine
from serve.engines.cuda_driver import Buffer, CudaDriver, Shape
from serve.engines.cuda_graph import CudaGraph, capture
from serve.engines.protocol import DeviceError
from train.errors import UserError

_FLOAT32_BYTES = 4


class PlanAtShape:
    """Images up, class ids down, and the plan in between, as one CUDA graph; within the driver's `current`.

    A graph holds addresses and shapes, so that each shape has a context of its own. TensorRT shares a profile among
    contexts from 10.0 on.

    Raises:
        UserError: the device has no memory left for it.
        DeviceError: TensorRT does not take the shape, though it is within the profile, or the device is lost.
    """

    def __init__(self, driver: CudaDriver, engine: ICudaEngine, manifest: Manifest, shape: Shape, profile: int) -> None:
        self._driver, self._engine = driver, engine  # TensorRT does not keep the engine alive for its context
        self._image_name, self._mask = manifest.input.name, manifest.output.name
        self._context = engine.create_execution_context()
        self._buffers: dict[str, Buffer] = {}
        self._graph: CudaGraph | None = None
        try:
            self._set(shape, profile)
            self._allocate(manifest.output, shape)
            self._enqueue()  # TensorRT wants one run of a shape before its work can be captured
            driver.synchronize()
            self._graph = capture(driver.stream, self._enqueue)
        except UserError:
            self.free()
            raise

    def run(self, images: NDArray[np.uint8], names: list[str]) -> list[NDArray[np.uint8]]:
        """RGB ``(N, h, w, 3)``, of the batch size or fewer, to the outputs of these names, the class ids first."""
        count = len(images)
        self._buffers[self._image_name].host[:count] = images
        if self._graph is None:
            self._enqueue()
        else:
            self._graph.launch(self._driver.stream)
        for name in names:
            if name != self._mask:
                self._driver.download(self._buffers[name])
        self._driver.synchronize()
        return [self._buffers[name].host[:count].copy() for name in names]

    def free(self) -> None:
        """Give the memory back; no work may be under way."""
        if self._graph is not None:
            self._graph.free()
        del self._context
        for buffer in self._buffers.values():
            buffer.free()

    def _set(self, shape: Shape, profile: int) -> None:
        if not self._context.set_optimization_profile_async(profile, self._driver.stream):
            raise DeviceError.of(f"TensorRT does not take profile {profile}")
        if not self._context.set_input_shape(self._image_name, shape):
            raise DeviceError.of(f"TensorRT does not take images of {shape}")

    def _allocate(self, output: OutputSpec, shape: Shape) -> None:
        shapes = {self._image_name: shape}
        for name in output.names:
            of = tuple(self._context.get_tensor_shape(name))
            shapes[name] = (*of, _FLOAT32_BYTES) if name == output.logits else of
        for name, of in shapes.items():
            self._buffers[name] = self._driver.buffer(of)
            self._context.set_tensor_address(name, self._buffers[name].address)

    def _enqueue(self) -> None:
        self._driver.upload(self._buffers[self._image_name])
        if not self._context.execute_async_v3(self._driver.stream):
            raise DeviceError.of("TensorRT cannot run the plan")
        self._driver.download(self._buffers[self._mask])
