"""What a board is at, as Prometheus scrapes it."""

import logging
from typing import TYPE_CHECKING, Literal, Protocol

from serve.board.board import Board

if TYPE_CHECKING:
    from prometheus_client import Gauge

Merged = Literal["livesum", "livemax", "livemostrecent"]
"""How the gauges of several living processes become one."""

_log = logging.getLogger(__name__)


class MakeGauge(Protocol):
    """Makes a gauge by its name, what it is, and how those of several processes become one."""

    def __call__(self, name: str, text: str, mode: Merged, *labels: str) -> "Gauge":
        """Enter it into the registry."""
        ...


class BoardGauges:
    """Power, temperature and clock, where the board says them; its name and power mode."""

    def __init__(self, board: Board, gauge: MakeGauge) -> None:
        self._board = board
        self._power = gauge("board_power_watts", "of the GPU, or of the whole module", "livemostrecent")
        self._temperature = gauge("board_temperature_celsius", "of the GPU, or of the module", "livemostrecent")
        self._clock = gauge("board_clock_hertz", "of the GPU", "livemostrecent")
        self._info = gauge("board_info", "1 for the board and its power mode", "livemax", "board", "power_mode")
        self._mode: str | None = None

    def refresh(self) -> None:
        """Read the sensors."""
        try:
            state = self._board.state()
        except Exception as error:  # a driver or a sensor that is gone must not take the other numbers with it
            _log.warning("%s cannot be read: %s", self._board.name, error)
            return
        self._power.set(state.power_w)
        if state.temperature_c is not None:
            self._temperature.set(state.temperature_c)
        if state.clock_mhz is not None:
            self._clock.set(state.clock_mhz * 1e6)
        self._name(state.power_mode or "")

    def _name(self, mode: str) -> None:
        if self._mode not in (None, mode):
            self._info.labels(self._board.name, self._mode).set(0)
        self._mode = mode
        self._info.labels(self._board.name, mode).set(1)
