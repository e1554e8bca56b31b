"""The kernel that a plan of bare logits brings along, as a part of it (no torch)."""

from pathlib import Path

from export.bundle import Bundle, BundleError
from export.manifest import FileRecord, Manifest
from export.tensorrt.target import rebuild_command
from kernels.cuda.module import KernelError
from kernels.cuda.upsample_argmax import SOURCE, UpsampleArgmax
from train.errors import UserError

_BUILD = "python -m kernels.cuda.build"


def find_fatbin(folder: Path) -> Path:
    """The fatbin of ``folder`` that such a plan needs.

    Raises:
        UserError: it is not there.
    """
    fatbin = folder / f"{SOURCE}.fatbin"
    if not fatbin.is_file():
        raise UserError(f"{fatbin}: not found: make it with `{_BUILD}`, or say with --kernels where it is")
    return fatbin


def part_name(plan: str) -> str:
    """What the fatbin is called beside its plan."""
    return f"{Path(plan).stem}.{SOURCE}.fatbin"


def load_kernels(path: Path, record: FileRecord, manifest: Manifest) -> UpsampleArgmax:
    """The kernels behind the plan ``path``, loaded into the current context.

    Raises:
        BundleError: they are not there, or not for this GPU or its driver.
    """
    assert record.logits is not None
    try:
        return UpsampleArgmax(path.with_name(part_name(record.path)), record.logits)
    except (KernelError, FileNotFoundError) as error:
        again = rebuild_command(Bundle(path.parent, manifest), record)
        raise BundleError(
            f"{path}: the kernel behind it does not run here ({error}): make it with `{_BUILD}`, then `{again}`"
        ) from None
