"""Power and clocks: on files as NVIDIA's and the kernel's documentation describe them, and where there are none.

No Jetson and no GPU was at hand: what is tested is that the documented files are read as documented.
"""

import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from serve.board.board import open_board
from serve.board.jetson import JetsonBoard
from serve.board.nvml import NvmlBoard
from serve.board.reading import BoardState
from train.errors import UserError

ORIN_NX = {"VDD_IN": (5000, 2000), "VDD_CPU_GPU_CV": (5000, 900), "VDD_SOC": (5000, 400)}
AGX_ORIN = {"VDD_GPU_SOC": (20000, 500), "VDD_CPU_CV": (20000, 100), "VIN_SYS_5V0": (5000, 600)}


def documented_tree(root: Path, rails: dict[str, tuple[int, int]]) -> Path:
    """Of a Jetson Orin: rails with millivolts and milliamperes, the GPU's clock, over-current events, temperatures."""
    sys_ = root / "sys"
    monitor = sys_ / "bus/i2c/drivers/ina3221/1-0040/hwmon/hwmon3"
    monitor.mkdir(parents=True)
    for channel, (name, (millivolts, milliamperes)) in enumerate(rails.items(), 1):
        (monitor / f"in{channel}_label").write_text(f"{name}\n")
        (monitor / f"in{channel}_input").write_text(f"{millivolts}\n")
        (monitor / f"curr{channel}_input").write_text(f"{milliamperes}\n")
    clock = sys_ / "class/devfreq/17000000.gpu"
    clock.mkdir(parents=True)
    (clock / "cur_freq").write_text("918000000\n")
    events = sys_ / "class/hwmon/hwmon1"
    events.mkdir(parents=True)
    (events / "oc1_event_cnt").write_text("4\n")
    for number, (zone, millidegrees) in enumerate({"gpu-thermal": 51_500, "tj-thermal": 53_250}.items()):
        folder = sys_ / f"class/thermal/thermal_zone{number}"
        folder.mkdir(parents=True)
        (folder / "type").write_text(f"{zone}\n")
        (folder / "temp").write_text(f"{millidegrees}\n")
    return root


@pytest.mark.parametrize(("rails", "watts"), [(ORIN_NX, 10.0), (AGX_ORIN, 15.0)])
def test_the_rails_of_the_whole_module_are_added_up_over_time(tmp_path, rails, watts):
    board = JetsonBoard(documented_tree(tmp_path, rails))
    began, before = time.monotonic(), board.read()
    time.sleep(0.4)
    after, seconds = board.read(), time.monotonic() - began
    board.close()
    assert board.power_w() == pytest.approx(watts)
    assert after.energy_j - before.energy_j == pytest.approx(watts * seconds, rel=0.35)
    assert (after.clock_mhz, after.memory_bytes, after.throttled) == (918.0, None, frozenset())


def test_over_current_events_are_throttling(tmp_path):
    board = JetsonBoard(documented_tree(tmp_path, ORIN_NX))
    (tmp_path / "sys/class/hwmon/hwmon1/oc1_event_cnt").write_text("5\n")
    assert board.read().throttled == {"over-current"}
    assert board.read().throttled == frozenset()
    board.close()


def test_what_a_module_is_at(tmp_path):
    root = documented_tree(tmp_path, ORIN_NX)
    assert JetsonBoard(root).state() == BoardState(10.0, 53.25, 918.0, None)
    (root / "var/lib/nvpmodel").mkdir(parents=True)
    (root / "var/lib/nvpmodel/status").write_text("pmode:0002 fmode:quiet\n")
    (root / "etc").mkdir()
    (root / "etc/nvpmodel.conf").write_text("< POWER_MODEL ID=0 NAME=MAXN >\n< POWER_MODEL ID=2 NAME=15W >\n")
    assert JetsonBoard(root).state().power_mode == "15W"
    (root / "sys/class/thermal/thermal_zone1/type").write_text("soc-thermal\n")
    (root / "sys/class/thermal/thermal_zone1/temp").unlink()  # a zone that is off cannot be read
    assert JetsonBoard(root).state().temperature_c == 51.5


def test_rails_that_are_not_known_are_not_guessed(tmp_path):
    with pytest.raises(UserError, match="no Jetson power monitor"):
        JetsonBoard(documented_tree(tmp_path, {"VDD_SOMETHING": (1, 1)}))


def test_a_machine_without_either_says_so_in_one_line():
    board, line = open_board()
    if board is not None:
        board.close()
        pytest.skip(f"this machine has one: {board.name}")
    assert line.startswith("power, energy, clocks and throttling are not measured: no Jetson power monitor")
    assert "\n" not in line


def test_what_nvml_says_is_read_in_its_units(monkeypatch):
    """A stand-in for NVML, in the units of its documentation: thousandths of joules and watts, megahertz, bytes."""
    nvml = SimpleNamespace(
        nvmlInit=lambda: None,
        nvmlShutdown=lambda: None,
        nvmlDeviceGetHandleByIndex=lambda index: f"gpu {index}",
        nvmlDeviceGetName=lambda gpu: f"NVIDIA {gpu}",
        nvmlDeviceGetTotalEnergyConsumption=lambda _: 12_500,
        nvmlDeviceGetPowerUsage=lambda _: 61_500,
        nvmlDeviceGetTemperature=lambda _, sensor: {0: 48}[sensor],
        nvmlDeviceGetClockInfo=lambda _, clock: {1: 1980}[clock],
        nvmlDeviceGetMemoryInfo=lambda _: SimpleNamespace(used=3 * 2**20),
        nvmlDeviceGetCurrentClocksEventReasons=lambda _: 0x1 | 0x4 | 0x20,
        NVML_CLOCK_SM=1,
        NVML_TEMPERATURE_GPU=0,
        NVMLError=RuntimeError,
        nvmlClocksEventReasonSwPowerCap=0x4,
        nvmlClocksEventReasonSwThermalSlowdown=0x20,
        nvmlClocksEventReasonHwThermalSlowdown=0x40,
        nvmlClocksEventReasonHwSlowdown=0x8,
        nvmlClocksEventReasonHwPowerBrakeSlowdown=0x80,
    )
    monkeypatch.setitem(sys.modules, "pynvml", nvml)
    reading = NvmlBoard().read()
    assert (reading.energy_j, reading.clock_mhz, reading.memory_bytes) == (12.5, 1980.0, 3 * 2**20)
    assert reading.throttled == {"power cap", "too hot"}
    assert NvmlBoard().state() == BoardState(61.5, 48.0, 1980.0)
