"""Optional dependencies: what to install where one is missing."""

from collections.abc import Iterator
from contextlib import contextmanager

from train.errors import UserError

_VIDEO = "pip install 'segdistill[video]'"
_SERVE = "pip install 'segdistill[serve,cpu]', or 'segdistill[serve,gpu]' for an NVIDIA GPU"


@contextmanager
def installed() -> Iterator[None]:
    """Around imports of the extras for serving: `UserError` names what is missing and how to get it."""
    try:
        yield
    except ModuleNotFoundError as error:
        how = _VIDEO if error.name == "av" else _SERVE
        raise UserError(f"{error.name} is not installed: {how}") from None
