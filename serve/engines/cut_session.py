"""A graph on the CPU up to its logits, and `class_map` for the rest."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.manifest import InputSpec
from export.session import open_session
from serve.engines.class_map import class_map
from serve.engines.graph_cut import cut_at_logits
from train.errors import UserError


class CutSession:
    """Gives what the whole graph gives, in less time. `open` makes one where the graph can be cut."""

    def __init__(self, session: Any, logits: str, input_name: str, scale: int) -> None:
        self._session = session
        self._logits = logits
        self._input = input_name
        self._scale = scale

    @classmethod
    def open(cls, path: Path, spec: InputSpec, threads: int, configuration: Mapping[str, str]) -> "CutSession | None":
        """None if the graph does not end in one upsampling, by a whole factor, and argmax."""
        cut = cut_at_logits(path.read_bytes())
        if cut is None:
            return None
        session = open_session(cut.model, threads, ["CPUExecutionProvider"], configuration)
        image = np.zeros((1, spec.height, spec.width, 3), np.uint8)
        (logits,) = session.run([cut.logits], {spec.name: image})
        scale = spec.height // logits.shape[2]
        if (scale * logits.shape[2], scale * logits.shape[3]) != (spec.height, spec.width):
            return None
        return cls(session, cut.logits, spec.name, scale)

    def run(self, images: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """RGB ``(N, h, w, 3)`` to class ids ``(N, h, w)``; `UserError` if a side is no multiple of the stride."""
        return np.stack([class_map(planes, self._scale) for planes in self.logits(images)])

    def logits(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """RGB ``(N, h, w, 3)`` to logits ``(N, C, h / scale, w / scale)``; `UserError` as above."""
        logits: NDArray[np.float32]
        (logits,) = self._session.run([self._logits], {self._input: images})
        if images.shape[1:3] != (self._scale * logits.shape[2], self._scale * logits.shape[3]):
            raise UserError(f"the network takes no images of {images.shape[1]}x{images.shape[2]} (height x width)")
        return logits
