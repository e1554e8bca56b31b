"""The board that can be read here: a Jetson module or an NVIDIA GPU."""

from typing import Protocol

from serve.board.jetson import JetsonBoard
from serve.board.nvml import NvmlBoard
from serve.board.reading import BoardReading, BoardState
from train.errors import UserError


class Board(Protocol):
    """A GPU or a module, read while requests run."""

    name: str

    def state(self) -> BoardState:
        """What it is at now."""
        ...

    def read(self) -> BoardReading:
        """What it has done so far; energy counts from the first call at the latest."""
        ...

    def close(self) -> None:
        """Stop reading."""
        ...


def open_board() -> tuple[Board | None, str]:
    """The board whose power can be read here, and one line that says which one or why there is none."""
    reasons = []
    for kind in (JetsonBoard, NvmlBoard):
        try:
            board: Board = kind()
        except UserError as error:
            reasons.append(str(error))
        else:
            return board, f"power, clock and memory: {board.name}"
    return None, f"power, energy, clocks and throttling are not measured: {'; '.join(reasons)}"
