"""Power, temperature, clock, memory and throttling of an NVIDIA GPU (NVML, https://docs.nvidia.com/deploy/nvml-api/)."""

from typing import Any

from serve.board.reading import BoardReading, BoardState
from train.errors import UserError

_THROTTLING = {
    "power cap": "nvmlClocksEventReasonSwPowerCap",
    "too hot": "nvmlClocksEventReasonSwThermalSlowdown",
    "too hot (hardware)": "nvmlClocksEventReasonHwThermalSlowdown",
    "slowed down by hardware": "nvmlClocksEventReasonHwSlowdown",
    "power brake": "nvmlClocksEventReasonHwPowerBrakeSlowdown",
}


class NvmlBoard:
    """The first GPU that NVML knows; its energy counter came with Volta.

    Raises:
        UserError: no NVML package, no driver, no GPU, or one that counts no energy.
    """

    def __init__(self) -> None:
        try:
            import pynvml
        except ModuleNotFoundError:
            raise UserError("no nvidia-ml-py: pip install 'segdistill[benchmark]'") from None
        self._nvml: Any = pynvml
        try:
            pynvml.nvmlInit()
            self._gpu = pynvml.nvmlDeviceGetHandleByIndex(0)
            self.name = f"{pynvml.nvmlDeviceGetName(self._gpu)} (NVML)"
            self.read()
        except pynvml.NVMLError as error:
            raise UserError(f"no NVIDIA GPU whose energy is counted ({error})") from None

    def state(self) -> BoardState:
        """What it is at now."""
        nvml, gpu = self._nvml, self._gpu
        return BoardState(
            power_w=nvml.nvmlDeviceGetPowerUsage(gpu) / 1e3,
            temperature_c=float(nvml.nvmlDeviceGetTemperature(gpu, nvml.NVML_TEMPERATURE_GPU)),
            clock_mhz=float(nvml.nvmlDeviceGetClockInfo(gpu, nvml.NVML_CLOCK_SM)),
        )

    def read(self) -> BoardReading:
        """What it has done since it was powered up."""
        nvml, gpu = self._nvml, self._gpu
        reasons = nvml.nvmlDeviceGetCurrentClocksEventReasons(gpu)
        return BoardReading(
            energy_j=nvml.nvmlDeviceGetTotalEnergyConsumption(gpu) / 1e3,
            clock_mhz=float(nvml.nvmlDeviceGetClockInfo(gpu, nvml.NVML_CLOCK_SM)),
            memory_bytes=int(nvml.nvmlDeviceGetMemoryInfo(gpu).used),
            throttled=frozenset(text for text, name in _THROTTLING.items() if reasons & getattr(nvml, name)),
        )

    def close(self) -> None:
        """Leave the library."""
        self._nvml.nvmlShutdown()
