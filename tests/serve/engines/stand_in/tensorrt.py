"""A stand-in for TensorRT on a machine without a GPU: a plan that finds each pixel's brightest channel, or is a graph.

The plan's bytes are JSON: ``profiles`` (min, opt, max), ``outputs``, whether it ``may_be_captured``, and, where it is a
graph, the ONNX file ``graph``. It computes where a GPU would, in memory of `libcuda.cpp`, when the
stream comes to it.
"""

import ctypes
import json
import math

import numpy as np
import onnxruntime

__version__ = "10.3.0"

_CUDA = ctypes.CDLL("libcuda.so.1")
_KERNEL = ctypes.CFUNCTYPE(None)


class ILogger:
    ERROR = 1

    def log(self, severity, message):
        raise NotImplementedError


class IExecutionContext:
    def __init__(self, engine):
        self._engine, self._shape, self._profile = engine, None, 0
        self._addresses, self._kernels = {}, []

    def set_optimization_profile_async(self, profile_index, stream_handle):
        self._profile = profile_index
        return stream_handle != 0

    def set_input_shape(self, name, shape):
        low, _, high = self._engine.plan["profiles"][self._profile]
        self._shape = tuple(shape)
        return name == "image" and all(a <= b <= c for a, b, c in zip(low, shape, high, strict=True))

    def get_tensor_shape(self, name):
        if self._engine.graph:
            return self._engine.run_graph(np.zeros(self._shape, np.uint8))[name].shape
        n, h, w, _ = self._shape
        return (n, 3, h, w) if name == "logits" else (n, h, w)

    def set_tensor_address(self, name, memory):
        self._addresses[name] = memory
        return True

    def execute_async_v3(self, stream_handle):
        if set(self._addresses) != {"image", *self._engine.plan["outputs"]}:
            self._engine.logger.log(ILogger.ERROR, "an address is missing")
            return False
        kernel = _KERNEL(self._run)
        self._kernels.append(kernel)
        may_be_captured = int(self._engine.plan["may_be_captured"])
        if _CUDA.stand_in_enqueue(ctypes.c_void_p(stream_handle), kernel, may_be_captured):
            self._engine.logger.log(ILogger.ERROR, "operation not permitted when stream is capturing")
            return False
        return True

    def _run(self):
        image = self._memory("image", self._shape, np.uint8)
        self._engine.runs += 1
        if self._engine.graph:
            for name, value in self._engine.run_graph(image).items():
                self._memory(name, value.shape, value.dtype)[:] = value
            return
        self._memory("mask", self._shape[:3], np.uint8)[:] = image.argmax(-1)
        if "confidence" in self._addresses:
            self._memory("confidence", self._shape[:3], np.uint8)[:] = image.max(-1)
        if "logits" in self._addresses:
            self._memory("logits", self.get_tensor_shape("logits"), np.float32)[:] = image.transpose(0, 3, 1, 2)

    def _memory(self, name, shape, dtype):
        size = math.prod(shape) * np.dtype(dtype).itemsize
        return np.frombuffer((ctypes.c_uint8 * size).from_address(self._addresses[name]), dtype).reshape(shape)


class ICudaEngine:
    def __init__(self, plan, logger):
        self.plan, self.logger, self.runs = plan, logger, 0
        self.graph = onnxruntime.InferenceSession(plan["graph"]) if "graph" in plan else None

    def run_graph(self, image):
        names = self.plan["outputs"]
        return dict(zip(names, self.graph.run(names, {"image": image}), strict=True))

    def create_execution_context(self):
        return IExecutionContext(self)


class Runtime:
    def __init__(self, logger):
        self._logger = logger

    def deserialize_cuda_engine(self, serialized_engine):
        if not serialized_engine.startswith(b"{"):
            self._logger.log(ILogger.ERROR, "the magic tag does not match")
            return None
        return ICudaEngine(json.loads(serialized_engine), self._logger)
