"""A graph in ONNX Runtime as a network with taps."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import interpolate

from train.errors import UserError
from train.models.network import SegmentationNetwork
from train.models.taps import MODULE, Tap
from train.teachers.normalisation import Normalisation
from train.teachers.onnx_input import OnnxInput

Provider = Literal["auto", "cpu", "cuda"]
_PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}
_TRIED = 256


class OnnxNetwork(SegmentationNetwork):
    """Shows the logits and those tensors that taps were named for; no way back for a gradient.

    Images go to ONNX Runtime and maps come back through the processor's memory. A graph of one size gets them resized,
    one of one batch size gets so many at a time.

    Args:
        session: of ONNX Runtime, with all tensors as outputs.
        spec: of its input.
        tensors: by tap; a name ``module:NAME`` has no dots.
        classes: how many there are.
        multiple: both sides of an image must be multiples of this, pixels.
        normalisation: of its images.
        reverse: it takes blue, green, red.
        files: what it was loaded from; the first is the graph's.

    Raises:
        UserError: it has another number of classes, or a tap is no map; found by running it once.
    """

    opaque = True

    def __init__(
        self,
        session: Any,
        spec: OnnxInput,
        tensors: Mapping[Tap, str],
        classes: int,
        multiple: int,
        normalisation: Normalisation,
        reverse: bool,
        files: Sequence[Path],
    ) -> None:
        super().__init__(classes, multiple, *normalisation)
        self._session, self._spec, self._reverse = session, spec, reverse
        self._tensors = dict(tensors)
        self._last: set[Tap] = set()  # whose channels are the last side
        for tap in self._tensors:
            if tap.startswith(MODULE):
                self.add_module(tap.removeprefix(MODULE), nn.Identity())  # found by its path, as a module of ours
        # Networks are told apart by their weights, and this one's are in the file.
        self.register_buffer("digest", torch.frombuffer(bytearray(_digest(files)), dtype=torch.uint8))
        self._try(files[0])

    def maps(self, image: Tensor, decoded: bool) -> dict[str, Tensor]:  # noqa: ARG002  # all or nothing
        """See `SegmentationNetwork`."""
        found = self._run(image)
        for tap in found:
            if tap.startswith(MODULE):
                found[tap] = getattr(self, tap.removeprefix(MODULE))(found[tap])
        return {tap: found[tap] for tap in sorted(found, key=_stride)}

    @torch.compiler.disable  # type: ignore[untyped-decorator]  # nothing in here is torch's to compile
    def _run(self, image: Tensor) -> dict[Tap, Tensor]:
        if self._spec.size is not None and tuple(image.shape[-2:]) != self._spec.size:
            image = interpolate(image, self._spec.size, mode="bilinear", align_corners=False, antialias=True)
        pixels = self._pixels(image)
        size = self._spec.batch or len(pixels)
        parts = [self._outputs(pixels[start : start + size], size) for start in range(0, len(pixels), size)]
        return {
            tap: self._as_map(tap, np.concatenate([part[index] for part in parts])).to(image.device)
            for index, tap in enumerate(self._tensors)
        }

    def _pixels(self, image: Tensor) -> NDArray[np.generic]:
        image = image.flip(1) if self._reverse else image
        image = image.permute(0, 2, 3, 1) if self._spec.layout == "NHWC" else image
        pixels: NDArray[np.float32] = image.float().cpu().numpy()
        if self._spec.dtype == "uint8":
            return np.ascontiguousarray(pixels.round().clip(0, 255).astype(np.uint8))
        return np.ascontiguousarray(pixels.astype(self._spec.dtype))

    def _outputs(self, pixels: NDArray[np.generic], size: int) -> list[NDArray[np.generic]]:
        """Of up to ``size`` images; a graph of a fixed batch gets the last one again for those that are missing."""
        count = len(pixels)
        if count < size:
            pixels = np.concatenate([pixels, np.repeat(pixels[-1:], size - count, axis=0)])
        found = self._session.run(list(self._tensors.values()), {self._spec.name: pixels})
        return [output[:count] for output in found]

    def _as_map(self, tap: Tap, output: NDArray[np.generic]) -> Tensor:
        found = torch.from_numpy(output)
        return found.permute(0, 3, 1, 2) if tap in self._last else found

    def _try(self, path: Path) -> None:
        side = -(-_TRIED // self.multiple) * self.multiple
        images = torch.zeros(1, 3, *(self._spec.size or (side, side)))
        try:
            shown = self._run(images)
        except Exception as error:  # ONNX Runtime's exceptions have no common base of their own
            reason = " ".join(str(error).split())[-160:]
            raise UserError(
                f"teacher: {path}: cannot be run on an image of {images.shape[2]}x{images.shape[3]} ({reason}): say "
                "what sizes it takes with teacher.multiple, or export it for any size"
            ) from None
        for tap, found in shown.items():
            if found.dim() != 4 or not found.is_floating_point():
                what = f"{tuple(found.shape)} of {str(found.dtype).removeprefix('torch.')}"
                raise UserError(
                    f"teacher: {path}: '{self._tensors[tap]}', its {tap}, is {what}, not a map (N, D, h, w) of floats: "
                    f"name another tensor in {'teacher.logits' if tap == 'logits' else 'teacher.taps'}"
                )
        self._find_channels(shown, path)

    def _find_channels(self, shown: dict[Tap, Tensor], path: Path) -> None:
        """Whether maps are (N, D, h, w) or (N, h, w, D): the logits tell by their number of classes."""
        shape = tuple(shown["logits"].shape)
        if shape[1] == self.classes:
            return
        if shape[3] != self.classes:
            raise UserError(
                f"teacher: {path}: its logits are {shape}, of {shape[1]} classes, and {self.classes} are meant: name "
                "its own in teacher.classes, and what they are here in teacher.class_map"
            )
        self._last = set(shown)


def open_session(graph: bytes | Path, path: Path, provider: Provider) -> Any:
    """Raises:
    UserError: ONNX Runtime is not installed or cannot load the graph, or has no CUDA.
    """
    try:
        import onnxruntime
    except ModuleNotFoundError:
        raise UserError("teacher.kind: onnx needs ONNX Runtime: pip install 'segdistill[cpu]' (or gpu)") from None
    there = onnxruntime.get_available_providers()
    cuda = _PROVIDERS["cuda"] in there and torch.cuda.is_available()
    if provider == "cuda" and not cuda:
        raise UserError("teacher.provider: cuda: ONNX Runtime has no CUDA here: install onnxruntime-gpu, or choose cpu")
    chosen = [_PROVIDERS["cuda"]] if cuda and provider != "cpu" else []
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 4  # what is wrong is in the exception too
    try:
        model = graph if isinstance(graph, bytes) else str(graph)
        return onnxruntime.InferenceSession(model, options, providers=[*chosen, _PROVIDERS["cpu"]])
    except Exception as error:  # as above
        reason = " ".join(str(error).split())[:160]
        raise UserError(f"teacher.path: {path}: ONNX Runtime cannot load it ({reason}): export it anew") from None


def _digest(files: Sequence[Path]) -> bytes:
    digest = hashlib.blake2b(digest_size=16)
    for path in files:
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    return digest.digest()


def _stride(tap: Tap) -> int:
    """Stages first, strides ascending."""
    return int(tap.removeprefix("stride:")) if tap.startswith("stride:") else 1 << 30
