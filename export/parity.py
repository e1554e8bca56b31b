"""The bundle against the PyTorch student, picture by picture."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray

from export.bundle import Bundle, BundleError
from export.graph import DeployedNetwork
from export.manifest import Accuracy
from export.preprocess import postprocess, preprocess
from export.session import open_session
from train.metrics import ConfusionMatrix, scores
from train.models.smp import SmpNetwork


@dataclass(frozen=True)
class Picture:
    """An image to compare on, with its label where there is one."""

    name: str
    image: NDArray[np.uint8]
    label: NDArray[np.uint8] | None = None


@dataclass(frozen=True)
class Difference:
    """One picture's class ids from both sides ``(h, w)`` and how far they are apart."""

    picture: Picture
    pytorch: NDArray[np.uint8]
    bundle: NDArray[np.uint8]
    logits_error: float

    @property
    def agreement(self) -> float:
        """Share of pixels with the same class, 0..1."""
        return float((self.pytorch == self.bundle).mean())


@dataclass
class Parity:
    """Everything compared so far."""

    classes: list[str]
    images: int = 0
    pixels: int = 0
    equal: int = 0
    max_logits_error: float = 0.0
    differences: list[Difference] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._pytorch = ConfusionMatrix(len(self.classes))
        self._bundle = ConfusionMatrix(len(self.classes))

    def add(self, difference: Difference) -> None:
        """Count one picture; keep it only if the sides differ on it."""
        self.images += 1
        self.pixels += difference.pytorch.size
        self.equal += int((difference.pytorch == difference.bundle).sum())
        self.max_logits_error = max(self.max_logits_error, difference.logits_error)
        label = difference.picture.label
        if label is not None:
            self._pytorch.add(label, postprocess(difference.pytorch, label.shape))
            self._bundle.add(label, postprocess(difference.bundle, label.shape))
        if difference.agreement < 1.0:
            self.differences.append(difference)

    @property
    def agreement(self) -> float:
        """Share of pixels with the same class over all pictures, 0..1."""
        return self.equal / max(1, self.pixels)

    def worst(self, count: int) -> list[Difference]:
        """The pictures the sides disagree most on."""
        return sorted(self.differences, key=lambda difference: difference.agreement)[:count]

    def accuracy(self, dataset: str, split: str) -> Accuracy:
        """The record for the manifest."""
        labelled = bool(self._pytorch.counts.any())
        return Accuracy(
            dataset=dataset,
            split=split,
            images=self.images,
            miou_pytorch=scores(self._pytorch, self.classes).miou if labelled else None,
            miou_bundle=scores(self._bundle, self.classes).miou if labelled else None,
            agreement=self.agreement,
            max_logits_error=self.max_logits_error,
        )


def compare(bundle: Bundle, network: SmpNetwork, pictures: Iterable[Picture]) -> Iterator[Difference]:
    """Run both sides on the very same preprocessed input, one picture at a time."""
    reference = DeployedNetwork(network).eval()
    session = _session_with_logits(bundle)
    spec = bundle.manifest.input
    for picture in pictures:
        image = preprocess(picture.image, spec)
        with torch.inference_mode():
            mask, logits = (output.numpy() for output in reference(torch.tensor(image)))
        bundle_mask, bundle_logits = session.run(None, {spec.name: image})
        error = float(np.abs(np.asarray(bundle_logits) - logits).max())
        yield Difference(picture, mask[0], np.asarray(bundle_mask)[0], error)


def _session_with_logits(bundle: Bundle) -> Any:
    """The bundle's own graph with the input of its last Resize as a second output, whether it has one or not."""
    path = bundle.file("onnx")
    model = onnx.load(path)
    names = [bundle.manifest.output.name, logits_tensor(model, path)]
    present = {output.name for output in model.graph.output}
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names if name not in present)
    order = {output.name: output for output in model.graph.output}
    del model.graph.output[:]
    model.graph.output.extend(order[name] for name in names)
    return open_session(model.SerializeToString(), torch.get_num_threads(), ["CPUExecutionProvider"])


def logits_tensor(model: onnx.ModelProto, path: Path) -> str:
    """Name of the low-resolution logits: what the one Resize before ArgMax takes.

    Raises:
        BundleError: the graph does not end in Resize and ArgMax.
    """
    producers = {output: node for node in model.graph.node for output in node.output}
    argmax = [node for node in model.graph.node if node.op_type == "ArgMax"]
    resize = producers.get(argmax[-1].input[0]) if argmax else None
    if resize is None or resize.op_type != "Resize":
        raise BundleError(f"{path}: does not end in Resize and ArgMax: export it with `python -m export.onnx`")
    return str(resize.input[0])
