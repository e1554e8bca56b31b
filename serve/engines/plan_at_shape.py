"""A TensorRT plan at one input shape: a context, memory and CUDA graphs of its own, all made once."""

from abc import ABC, abstractmethod
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from export.tensorrt.api import ICudaEngine, IExecutionContext
from serve.engines.cuda_driver import Buffer, CudaDriver, Memory, Shape
from serve.engines.cuda_graph import CudaGraph, capture
from serve.engines.protocol import DeviceError, Outputs
from train.errors import UserError

_Owned = TypeVar("_Owned", bound=Memory)


class PlanAtShape(ABC):
    """Images up, class ids down, and the work in between, as one CUDA graph; within the driver's `current`.

    A graph holds addresses and shapes, so that each shape has a context of its own. TensorRT shares a profile among
    contexts from 10.0 on. An inference with confidence is a graph of its own, made when the first one is asked for.

    Raises:
        UserError: the device has no memory left for it.
        DeviceError: TensorRT does not take the shape, though it is within the profile, or the device is lost.
    """

    _image: Buffer
    _ids: Buffer
    _confidence: Buffer | None = None

    def __init__(self, driver: CudaDriver, engine: ICudaEngine, shape: Shape, profile: int) -> None:
        self._driver, self._engine = driver, engine  # TensorRT does not keep the engine alive for its context
        self._shape = shape
        self._context: IExecutionContext = engine.create_execution_context()
        self._memory: list[Memory] = []
        self._graphs: dict[bool, CudaGraph | None] = {}
        try:
            if not self._context.set_optimization_profile_async(profile, driver.stream):
                raise DeviceError.of(f"TensorRT does not take profile {profile}")
            self._allocate()
            self._graph(with_confidence=False)
        except UserError:
            self.free()
            raise

    def run(self, images: NDArray[np.uint8], with_confidence: bool) -> Outputs:
        """RGB ``(N, h, w, 3)``, of the batch size or fewer, to class ids."""
        count = len(images)
        graph = self._graph(with_confidence)
        self._image.host[:count] = images
        if graph is None:
            self._enqueue(with_confidence)
        else:
            graph.launch(self._driver.stream)
        self._driver.synchronize()
        confidence = self._confidence if with_confidence else None
        return Outputs(self._ids.host[:count].copy(), None if confidence is None else confidence.host[:count].copy())

    def free(self) -> None:
        """Give the memory back; no work may be under way."""
        for graph in self._graphs.values():
            if graph is not None:
                graph.free()
        del self._context
        for memory in self._memory:
            memory.free()

    @abstractmethod
    def _allocate(self) -> None:
        """Tell the context its shape, and all tensors their memory."""

    @abstractmethod
    def _enqueue(self, with_confidence: bool) -> None:
        """Tell the stream one whole inference, the copies included."""

    def _graph(self, with_confidence: bool) -> CudaGraph | None:
        """The work as a graph; None where some of it cannot be captured."""
        if with_confidence not in self._graphs:
            # TensorRT wants one run of a shape before its work can be captured, a kernel wants to be loaded.
            self._enqueue(with_confidence)
            self._driver.synchronize()
            self._graphs[with_confidence] = capture(self._driver.stream, lambda: self._enqueue(with_confidence))
        return self._graphs[with_confidence]

    def _takes(self, name: str, shape: Shape) -> None:
        if not self._context.set_input_shape(name, shape):
            raise DeviceError.of(f"TensorRT does not take '{name}' of {shape}")

    def _own(self, memory: _Owned) -> _Owned:
        self._memory.append(memory)
        return memory

    def _execute(self) -> None:
        if not self._context.execute_async_v3(self._driver.stream):
            raise DeviceError.of("TensorRT cannot run the plan")
