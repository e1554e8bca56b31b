"""The deep learning accelerator beside the GPU of some Jetsons: in TensorRT to 10.7 and from 11.4.1 on (no torch)."""

from export.tensorrt import api
from export.tensorrt.flavour import TensorRt
from train.errors import UserError


def use_dla(trt: TensorRt, builder: api.Builder, config: api.IBuilderConfig, core: int) -> None:
    """Put every layer on a DLA core that can run there; the others go on the GPU.

    Raises:
        UserError: there is no such core, or this TensorRT does not know it.
    """
    cores = builder.num_DLA_cores
    if not 0 <= core < cores:
        raise UserError(
            f"--dla {core}: {trt.__name__} {trt.__version__} finds {cores} DLA cores on this machine: leave out --dla"
        )
    config.default_device_type = trt.DeviceType.DLA
    config.DLA_core = core
    config.set_flag(trt.BuilderFlag.GPU_FALLBACK)
