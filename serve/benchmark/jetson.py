"""Energy, clock and throttling of a Jetson module, from the files of its power monitor.

NVIDIA Jetson Linux Developer Guide, "Platform Power and Performance"
(https://docs.nvidia.com/jetson/archives/r36.3/DeveloperGuide/SD/PlatformPowerAndPerformance.html), and the kernel's
driver (https://docs.kernel.org/hwmon/ina3221.html): millivolts in ``in<n>_input``, milliamperes in ``curr<n>_input``.
"""

import threading
import time
from pathlib import Path

from serve.benchmark.board_reading import BoardReading
from train.errors import UserError

_MONITORS = "bus/i2c/drivers/ina3221/*/hwmon/hwmon*"
_CLOCKS = ("class/devfreq/*.gpu/cur_freq", "class/devfreq/*.ga10b/cur_freq")
_OVER_CURRENT = "class/hwmon/hwmon*/oc*_event_cnt"
_TOTALS = ({"VDD_IN"}, {"VDD_GPU_SOC", "VDD_CPU_CV", "VIN_SYS_5V0"})
"""The rails that make up the module's power: Orin NX and Nano have one for all, AGX Orin three."""

_INTERVAL_S = 0.05


class JetsonBoard:
    """Power of the module's input rails, read 20 times a second and summed over time.

    Raises:
        UserError: no such monitor here.
    """

    def __init__(self, sys: Path = Path("/sys")) -> None:
        self._sys = sys
        rails = {_text(label): label for label in sys.glob(f"{_MONITORS}/in[123]_label")}
        total = next((names for names in _TOTALS if names <= rails.keys()), None)
        if total is None:
            raise UserError(f"no Jetson power monitor ({sys / _MONITORS})")
        self._rails = [(label, label.with_name(label.name.replace("in", "curr", 1))) for label in _labels(rails, total)]
        self.name = f"Jetson, {' + '.join(sorted(total))} (INA3221)"
        self._energy_j, self._events = 0.0, self._count_events()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._sum_up, daemon=True)
        self._thread.start()

    def power_w(self) -> float:
        """Of the rails together, now."""
        millis = ((_number(_input(volts)), _number(_input(amperes))) for volts, amperes in self._rails)
        return sum(volts * amperes for volts, amperes in millis) / 1e6

    def read(self) -> BoardReading:
        """The present state."""
        clocks = [path for pattern in _CLOCKS for path in self._sys.glob(pattern)]
        events, self._events = self._events, self._count_events()
        return BoardReading(
            energy_j=self._energy_j,
            clock_mhz=_number(clocks[0]) / 1e6 if clocks else None,
            memory_bytes=None,  # the processor's own memory
            throttled=frozenset({"over-current"} if self._events > events else ()),
        )

    def close(self) -> None:
        """Stop reading."""
        self._ended.set()
        self._thread.join()

    def _sum_up(self) -> None:
        last = time.monotonic()
        while not self._ended.wait(_INTERVAL_S):
            now = time.monotonic()
            self._energy_j += self.power_w() * (now - last)
            last = now

    def _count_events(self) -> float:
        return sum(_number(path) for path in self._sys.glob(_OVER_CURRENT))


def _labels(rails: dict[str, Path], names: set[str]) -> list[Path]:
    return [rails[name] for name in sorted(names)]


def _input(label: Path) -> Path:
    return label.with_name(label.name.replace("_label", "_input"))


def _text(path: Path) -> str:
    return path.read_text(encoding="ascii").strip()


def _number(path: Path) -> float:
    return float(_text(path))
