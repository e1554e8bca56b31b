"""Optional dependencies: what to install where one is missing."""

from collections.abc import Iterator
from contextlib import contextmanager

from train.errors import UserError

_SERVE = "pip install 'segdistill[serve,cpu]', or 'segdistill[serve,gpu]' for an NVIDIA GPU"


@contextmanager
def installed() -> Iterator[None]:
    """Around imports of the `serve`, `cpu` and `gpu` extras: `UserError` names what is missing and how to get it."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise UserError(f"{error.name} is not installed: {_SERVE}") from None
