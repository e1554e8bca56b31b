"""Flow that need not be estimated: a dataset's own, precomputed files, and none at all (no torch)."""

from collections.abc import Callable
from pathlib import Path

from train.data.dataset import FramePlace
from train.data.flow.field import Flow, no_flow
from train.data.flow.flo_file import read_flo
from train.data.flow.pair import FramePair
from train.errors import UserError


class KnownFlow:
    """The exact flow that a dataset has of its own clips."""

    def __init__(self, flow: Callable[[FramePlace, int], Flow]) -> None:
        self._flow = flow

    def __call__(self, pair: FramePair) -> Flow:
        return self._flow(pair.place, pair.gap)


class FloFiles:
    """Precomputed flow, one file a pair: ``<name of the first frame>_+1.flo`` to the next frame, ``…_-1.flo`` back."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def path(self, name: str, gap: int) -> Path:
        """The file of the flow from the frame of a name to the one ``gap`` frames after it."""
        return self._folder / f"{name}_{gap:+d}.flo"

    def __call__(self, pair: FramePair) -> Flow:
        path = self.path(pair.name, pair.gap)
        flow = read_flo(path)
        if flow.visible.shape != pair.now.shape[:2]:
            raise UserError(
                f"{path}: the flow is {flow.visible.shape}, its frame {pair.now.shape[:2]} (height, width): "
                "compute it at the size of the frames"
            )
        return flow


def identity(pair: FramePair) -> Flow:
    """Nothing moves: the baseline that every other flow must beat."""
    return no_flow(pair.now.shape[:2])
