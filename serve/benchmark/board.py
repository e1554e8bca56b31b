"""What a board says of itself while a server runs on it: energy, clock, memory, throttling."""

from typing import Protocol

from serve.benchmark.board_reading import BoardReading
from serve.benchmark.jetson import JetsonBoard
from serve.benchmark.nvml import NvmlBoard
from train.errors import UserError


class Board(Protocol):
    """A GPU or a module, read while requests run."""

    name: str

    def read(self) -> BoardReading:
        """The present state."""
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
