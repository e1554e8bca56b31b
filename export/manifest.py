"""The manifest: everything needed to run a bundle and to trust each of its files (no torch)."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Channel = Annotated[int, Field(ge=0, le=255)]
Precision = Literal["fp32", "fp16", "int8"]
Runtime = Literal["onnxruntime", "tensorrt", "tensorrt_rtx", "openvino"]
Shape = tuple[int, int, int, int]

SCHEMA_VERSION = 2
DEFAULT_ROLE = "onnx"
"""The file that a bundle is served from and that the others are made from."""
BARE_LOGITS = "logits"
"""Name of the one output of a plan that gives nothing else."""
MIN_AGREEMENT: dict[Precision, float] = {"fp32": 0.999, "fp16": 0.995, "int8": 0.98}
"""Smallest share of pixels with the class of the fp32 network, by precision."""


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class InputSpec(_Record):
    """What the graph takes: uint8 ``(N, height, width, 3)`` RGB. Normalisation is inside the graph."""

    height: int = Field(gt=0, description="pixels; the size the student was scored at")
    width: int = Field(gt=0, description="pixels; the size the student was scored at")
    multiple: int = Field(default=1, gt=0, description="both sides must be multiples of this")
    smallest: int = Field(default=1, gt=0, description="pixels; the shortest side that the student's poolings take")
    dynamic_batch: bool = True
    dynamic_size: bool = True
    name: str = "image"
    layout: Literal["NHWC"] = "NHWC"
    dtype: Literal["uint8"] = "uint8"
    colour: Literal["RGB"] = "RGB"
    mean: list[float] = Field(description="for the record: subtracted inside the graph, in units of 0..255")
    std: list[float] = Field(description="for the record: divided by inside the graph, in units of 0..255")
    resize: str = Field(
        default="area average when no side grows, bilinear otherwise (train/data/resize.py)",
        description="how a picture comes to the network's size",
    )


class OutputSpec(_Record):
    """What the graph gives: uint8 class ids ``(N, height, width)`` first, and more where a name is set."""

    name: str = "mask"
    dtype: Literal["uint8"] = "uint8"
    confidence: str | None = Field(
        default=None,
        description="name of the uint8 (N, height, width) output, 255 times the softmax probability of the class given",
    )
    logits: str | None = Field(
        default=None, description="name of the float32 (N, C, h, w) output, before the upsampling"
    )

    @property
    def names(self) -> list[str]:
        """Of the graph's outputs, in their order."""
        return [name for name in (self.name, self.confidence, self.logits) if name is not None]


class DifferingPixel(_Record):
    """A pixel of another class than in PyTorch, at the network's size."""

    picture: str
    row: int
    column: int
    pytorch: str = Field(description="PyTorch's class")
    file: str = Field(description="the file's class")
    margin: float = Field(description="PyTorch's largest logit less its second")


class Accuracy(_Record):
    """A student's scores before the export, and a file's after it."""

    dataset: str
    split: str
    images: int
    images_sha256: str = Field(default="", description="of their pixels and labels: the same again, or others")
    reference: Literal["PyTorch", "fp32 graph"] = Field(
        default="PyTorch",
        description="what the file was compared with; the fp32 graph, itself proven, on a device without PyTorch",
    )
    runtime: str = Field(default="", description="library, version and device that computed the file's side")
    miou_pytorch: float | None = Field(default=None, description="mean IoU, 0..1; absent without labels")
    miou_bundle: float | None = Field(default=None, description="mean IoU, 0..1; absent without labels")
    agreement: float = Field(description="share of pixels with the same class in the reference and in the file, 0..1")
    boundary_agreement: float | None = Field(
        default=None, description="the same of the pixels next to another class, 0..1; absent where there are none"
    )
    differing_pixels: int = Field(default=0, description="pixels with another class than in PyTorch")
    largest_margin: float | None = Field(
        default=None, description="of the differing pixels: PyTorch's largest logit less its second, largest value"
    )
    pixels: list[DifferingPixel] = Field(
        default=[], description="the differing pixels with their margins: the 50 of the largest, where there are more"
    )
    max_logits_error: float | None = Field(default=None, description="largest absolute difference of a logit")
    max_confidence_error: int | None = Field(default=None, description="largest difference of the confidence, 0..255")
    not_finite: int | None = Field(default=None, description="logits of the file that are NaN or infinite")
    deterministic: bool | None = Field(default=None, description="a second run gave the same bits")


class Latency(_Record):
    """A measured time, and what it is the time of."""

    scope: str = Field(description="what was timed, e.g. 'inference, batch 1, 352x480'")
    device: str
    runtime: str
    threads: int
    samples: int
    p50_ms: float
    p90_ms: float
    p99_ms: float


class Profile(_Record):
    """The input shapes ``(N, H, W, 3)`` that an engine takes, and the one it was tuned for."""

    min: Shape
    opt: Shape
    max: Shape

    @model_validator(mode="after")
    def _in_order(self) -> "Profile":
        if not all(low <= best <= high for low, best, high in zip(self.min, self.opt, self.max, strict=True)):
            raise ValueError(f"min {self.min} <= opt {self.opt} <= max {self.max} does not hold in every dimension")
        return self


class PlanTarget(_Record):
    """Where an engine runs. A plan is bound to all of this, and to nothing that can be seen in the file itself."""

    flavour: Literal["tensorrt", "tensorrt_rtx"]
    tensorrt: str = Field(description="version of the library that built it")
    cuda: str | None = Field(default=None, description="version of the CUDA runtime")
    driver: str | None = Field(default=None, description="version of the NVIDIA driver; absent if built without a GPU")
    gpu: str | None = Field(default=None, description="name of the GPU; absent if built without one")
    sm: list[str] = Field(default=[], description="compute capabilities, e.g. ['87']")
    profiles: list[Profile] = []


class FileRecord(_Record):
    """One model file of the bundle: how it was made, and what is proven of it."""

    path: str = Field(description="relative to the bundle")
    precision: Precision = "fp32"
    runtime: Runtime = "onnxruntime"
    sha256: str
    size_bytes: int
    parts: dict[str, str] = Field(default={}, description="sha256 of further files that it consists of, by path")
    source_sha256: str = Field(default="", description="of what it was made from: the weights, or another file here")
    verified: bool = Field(
        default=False, description="compared with its `accuracy.reference` on real images, and passed"
    )
    accuracy: Accuracy | None = None
    latency: list[Latency] = []
    built_for: PlanTarget | None = Field(default=None, description="of TensorRT plans")
    logits: Literal["fp32", "fp16"] | None = Field(
        default=None,
        description="of a plan that gives bare logits (N, C, h, w) of this type, no class ids; its part is the kernel "
        "that makes the ids of them",
    )
    session: dict[str, str] = Field(
        default={}, description="ONNX Runtime session configuration that was fastest where it was tuned"
    )
    options: dict[str, Any] = Field(default={}, description="what it was made with; the same again gives the same file")
    versions: dict[str, str] = Field(default={}, description="of the libraries it was made with")


class Manifest(_Record):
    """Everything a user or a server must know of a bundle. Versioned: readers refuse another schema."""

    schema_version: Literal[2] = 2
    name: str
    created: str = Field(description="UTC, ISO 8601")
    classes: list[str]
    palette: list[tuple[Channel, Channel, Channel]] = Field(max_length=256)
    ignore_index: int = 255
    input: InputSpec
    output: OutputSpec = OutputSpec()
    files: dict[str, FileRecord] = Field(
        description="by role: onnx, onnx_fp16, onnx_int8, trt_<sm>_<precision>; all take and give the same, but for "
        "plans of bare `logits`"
    )
    student: dict[str, Any]
    teacher: dict[str, Any] | None = None
    method: list[dict[str, Any]] = Field(default=[], description="the losses of the training, resolved")
    dataset: str = ""
    licence_note: str = ""
    seal: str = Field(default="", description="sha256 of all the rest, so that a change by hand is seen")

    @property
    def verified(self) -> bool:
        """Whether the file that is served by default is proven."""
        return DEFAULT_ROLE in self.files and self.files[DEFAULT_ROLE].verified
