"""A TensorRT plan on the GPU it was built for."""

import contextlib
import threading
from collections import OrderedDict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from export.bundle import Bundle, BundleError
from export.manifest import InputSpec, Profile
from export.plan_kernels import load_kernels
from export.tensorrt.api import ICudaEngine
from export.tensorrt.flavour import load_tensorrt
from export.tensorrt.gpu import this_gpu
from export.tensorrt.log import Log
from export.tensorrt.target import check_plan
from serve.engines.cuda_driver import Shape
from serve.engines.cuda_library import open_driver
from serve.engines.logits_plan import LogitsPlan
from serve.engines.plan_at_shape import PlanAtShape
from serve.engines.protocol import DeviceError, Outputs, no_confidence
from serve.engines.whole_plan import WholePlan
from train.errors import UserError

MOST_SHAPES = 8
"""Input shapes that keep their memory on the GPU."""


class TensorRtEngine:
    """A bundle's plan, of class ids or of bare logits. One inference at a time: a second thread waits, the GPU has no
    use for it.

    Batches are filled up to the next power of two, so that a few shapes are all that come.

    Raises:
        BundleError: the plan is for another GPU or TensorRT, TensorRT cannot load it, or the kernel behind it does not
            run here.
        UserError: TensorRT, or a library for the CUDA driver, is not installed.
    """

    name = "tensorrt"
    prepares_shapes = True
    logits = None

    def __init__(self, bundle: Bundle, role: str) -> None:
        check_plan(bundle, role)
        record, path, gpu = bundle.record(role), bundle.file(role), this_gpu()
        assert record.built_for is not None
        assert gpu is not None
        trt = load_tensorrt(record.built_for.flavour)
        self._driver = open_driver()
        self.role, self.precision, self.device, self.threads = role, record.precision, gpu.name, 1
        self.runtime = f"{record.runtime} {trt.__version__}, {self._driver.runtime}"
        self._root, self._manifest, self._profiles = bundle.root, bundle.manifest, record.built_for.profiles
        self.largest_batch: int | None = _largest_batch(self._profiles, bundle.manifest.input)
        self._log = Log(trt)
        self._shapes: OrderedDict[Shape, PlanAtShape] = OrderedDict()
        self._one_at_a_time = threading.Lock()
        try:
            with self._driver.current():
                self._runtime = trt.Runtime(self._log.logger)
                self._kernels = load_kernels(path, record, bundle.manifest) if record.logits else None
                self._engine = self._load(path)
        except UserError:
            self._driver.close()
            raise

    def infer(self, images: NDArray[np.uint8], confidence: bool = False) -> Outputs:
        """RGB ``(N, h, w, 3)`` to class ids."""
        if confidence and self._manifest.output.confidence is None:
            raise no_confidence(self._root)
        with self._one_at_a_time:
            self._log.messages.clear()  # or a server would keep them for ever
            self._log.errors.clear()
            try:
                with self._driver.current():
                    return self._at(images.shape).run(images, confidence)
            except DeviceError as error:
                raise DeviceError(f"{error}; {self._log.first_error()}") if self._log.errors else error from None

    def close(self) -> None:
        """Give the GPU's memory back, if the GPU still answers."""
        with contextlib.suppress(DeviceError):
            with self._driver.current():
                for at_shape in self._shapes.values():
                    at_shape.free()
                self._shapes.clear()
                del self._engine, self._runtime
                if self._kernels is not None:
                    self._kernels.unload()
            self._driver.close()

    def _load(self, path: Path) -> ICudaEngine:
        engine = self._runtime.deserialize_cuda_engine(path.read_bytes())
        if engine is None:
            if self._kernels is not None:
                self._kernels.unload()
            raise BundleError(f"{path}: {self.runtime} cannot load it ({self._log.first_error()}): build it again")
        return engine

    def _at(self, shape: Shape) -> PlanAtShape:
        index, filled = self._filled(shape)
        if filled not in self._shapes:
            while len(self._shapes) >= MOST_SHAPES:
                self._shapes.popitem(last=False)[1].free()
            self._shapes[filled] = self._plan(filled, index)
        self._shapes.move_to_end(filled)
        return self._shapes[filled]

    def _plan(self, shape: Shape, profile: int) -> PlanAtShape:
        if self._kernels is None:
            return WholePlan(self._driver, self._engine, self._manifest, shape, profile)
        return LogitsPlan(self._driver, self._engine, self._manifest, self._kernels, shape, profile)

    def _filled(self, shape: Shape) -> tuple[int, Shape]:
        """The first profile that takes images of a shape, by its number, and the shape that they run at."""
        count, *size = shape
        for index, profile in enumerate(self._profiles):
            batch = min(max(1 << (count - 1).bit_length(), profile.min[0]), profile.max[0])
            if count <= batch and _takes(profile, (batch, *size)):
                return index, (batch, *size)
        takes = " or ".join(f"{profile.min} to {profile.max}" for profile in self._profiles)
        raise UserError(f"the plan takes images of {takes}, not {shape}: build it with a --profile that does")


def _largest_batch(profiles: list[Profile], spec: InputSpec) -> int:
    """Of the profiles that take the network's own size, or of all where none does."""
    fitting = [each for each in profiles if _takes(each, (each.max[0], spec.height, spec.width, 3))]
    return max(each.max[0] for each in fitting or profiles)


def _takes(profile: Profile, shape: Shape) -> bool:
    return all(low <= size <= high for low, size, high in zip(profile.min, shape, profile.max, strict=True))
