"""Power, temperature, clock, power mode and throttling of a Jetson module, from the files of its kernel.

NVIDIA Jetson Linux Developer Guide, "Platform Power and Performance"
(https://docs.nvidia.com/jetson/archives/r36.3/DeveloperGuide/SD/PlatformPowerAndPerformance.html), and the kernel's
driver (https://docs.kernel.org/hwmon/ina3221.html): millivolts in ``in<n>_input``, milliamperes in ``curr<n>_input``;
thousandths of a degree in ``thermal_zone<n>/temp`` (https://docs.kernel.org/driver-api/thermal/sysfs-api.html).
"""

import contextlib
import re
import threading
import time
from pathlib import Path

from serve.board.reading import BoardReading, BoardState
from train.errors import UserError

_MONITORS = "bus/i2c/drivers/ina3221/*/hwmon/hwmon*"
_CLOCKS = ("class/devfreq/*.gpu/cur_freq", "class/devfreq/*.ga10b/cur_freq")
_OVER_CURRENT = "class/hwmon/hwmon*/oc*_event_cnt"
_TOTALS = ({"VDD_IN"}, {"VDD_GPU_SOC", "VDD_CPU_CV", "VIN_SYS_5V0"})
"""The rails that make up the module's power: Orin NX and Nano have one for all, AGX Orin three."""

_ZONES = "class/thermal/thermal_zone*/type"
_MODE, _MODES = "var/lib/nvpmodel/status", "etc/nvpmodel.conf"
"""``pmode:0002``, and ``< POWER_MODEL ID=2 NAME=25W >``. A container sees both only where they are mounted."""

_INTERVAL_S = 0.05


class JetsonBoard:
    """Power of the module's input rails; from the first `read` on it is read 20 times a second and summed up.

    ``root`` is the file system's.

    Raises:
        UserError: no such monitor here.
    """

    def __init__(self, root: Path = Path("/")) -> None:
        sys = root / "sys"
        self._root, self._sys = root, sys
        rails = {_text(label): label for label in sys.glob(f"{_MONITORS}/in[123]_label")}
        total = next((names for names in _TOTALS if names <= rails.keys()), None)
        if total is None:
            raise UserError(f"no Jetson power monitor ({sys / _MONITORS})")
        self._rails = [(label, label.with_name(label.name.replace("in", "curr", 1))) for label in _labels(rails, total)]
        self.name = f"Jetson, {' + '.join(sorted(total))} (INA3221)"
        self._energy_j, self._events = 0.0, self._count_events()
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def state(self) -> BoardState:
        """What it is at now."""
        return BoardState(self.power_w(), self._temperature_c(), self._clock_mhz(), self._power_mode())

    def power_w(self) -> float:
        """Of the rails together, now."""
        millis = ((_number(_input(volts)), _number(_input(amperes))) for volts, amperes in self._rails)
        return sum(volts * amperes for volts, amperes in millis) / 1e6

    def read(self) -> BoardReading:
        """What it has done since the first call."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._sum_up, daemon=True)
            self._thread.start()
        events, self._events = self._events, self._count_events()
        return BoardReading(
            energy_j=self._energy_j,
            clock_mhz=self._clock_mhz(),
            memory_bytes=None,  # the processor's own memory
            throttled=frozenset({"over-current"} if self._events > events else ()),
        )

    def close(self) -> None:
        """Stop reading."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join()

    def _clock_mhz(self) -> float | None:
        clocks = [path for pattern in _CLOCKS for path in self._sys.glob(pattern)]
        return _number(clocks[0]) / 1e6 if clocks else None

    def _temperature_c(self) -> float | None:
        """Of the junction where the module names it, else of its hottest zone; a zone that is off cannot be read."""
        zones: dict[str, float] = {}
        for kind in self._sys.glob(_ZONES):
            with contextlib.suppress(OSError, ValueError):
                zones[_text(kind)] = _number(kind.with_name("temp")) / 1e3
        return zones.get("tj-thermal", max(zones.values(), default=None))

    def _power_mode(self) -> str | None:
        try:
            number = int(re.findall(r"pmode:(\d+)", _text(self._root / _MODE))[0])
            names = dict(re.findall(r"POWER_MODEL\s+ID=(\d+)\s+NAME=(\S+)", _text(self._root / _MODES)))
        except (OSError, IndexError):
            return None
        return str(names.get(str(number), number))

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
