"""ONNX Runtime's input and outputs in the memory of a device, allocated once for each batch shape."""

import threading
from collections import OrderedDict
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

MOST_SHAPES = 16
"""Batch shapes that keep their memory."""


class BoundSession:
    """One inference at a time on one device: a second thread would only wait there."""

    def __init__(self, session: Any, input_name: str, device: str) -> None:
        self._session, self._input, self._device = session, input_name, device
        self._bound: OrderedDict[tuple[tuple[int, ...], tuple[str, ...]], _Buffers] = OrderedDict()
        self._one_at_a_time = threading.Lock()

    def run(self, names: list[str], images: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
        """RGB ``(N, h, w, 3)`` to the outputs of these names, each ``(N, h, w)`` uint8 and the caller's own."""
        key = images.shape, tuple(names)
        with self._one_at_a_time:
            if key not in self._bound:
                self._bound[key] = _Buffers(self._session, self._input, names, images.shape, self._device)
            self._bound.move_to_end(key)
            while len(self._bound) > MOST_SHAPES:
                self._bound.popitem(last=False)
            return self._bound[key].run(images)


class _Buffers:
    def __init__(self, session: Any, input_name: str, names: list[str], shape: tuple[int, ...], device: str) -> None:
        def allocate(of: tuple[int, ...]) -> Any:
            return onnxruntime.OrtValue.ortvalue_from_shape_and_type(of, np.uint8, device)

        self._session = session
        self._image, self._outputs = allocate(shape), [allocate(shape[:3]) for _ in names]
        self._binding = session.io_binding()
        self._binding.bind_ortvalue_input(input_name, self._image)
        for name, output in zip(names, self._outputs, strict=True):
            self._binding.bind_ortvalue_output(name, output)

    def run(self, images: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
        self._image.update_inplace(images)
        self._session.run_with_iobinding(self._binding)
        return [np.array(output.numpy()) for output in self._outputs]  # on the CPU numpy() is a view
