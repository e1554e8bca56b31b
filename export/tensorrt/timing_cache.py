"""The timing cache: tactics that were timed once are not timed again (no torch).

Several builds may share one file. Each adds what it measured to what the file holds by then.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from export.bundle import new_file
from export.lock import locked
from export.tensorrt import api
from train.errors import UserError


@contextlib.contextmanager
def timing_cache(config: api.IBuilderConfig, path: Path | None) -> Iterator[None]:
    """Use the cache in ``path`` for a build inside of the block; save it at the end of one that succeeds.

    Raises:
        UserError: the file is no timing cache, or of another TensorRT or GPU; it cannot be written.
    """
    if path is None:
        yield
        return
    cache = _read(config, path)
    if not config.set_timing_cache(cache, False):
        raise _other(path)
    yield
    with locked(path, "timing cache"):
        _save(config, path)


def _read(config: api.IBuilderConfig, path: Path) -> api.ITimingCache:
    data = path.read_bytes() if path.is_file() else b""
    empty, cache = config.create_timing_cache(b""), config.create_timing_cache(data)
    if empty is None or cache is None:
        raise _other(path)
    # Of bytes that it does not understand TensorRT makes an empty cache, and the file would be overwritten.
    restored = bytes(cache.serialize())
    if data and restored != data and len(restored) <= empty.serialize().nbytes:
        raise _other(path)
    return cache


def _save(config: api.IBuilderConfig, path: Path) -> None:
    measured = config.get_timing_cache()
    merged = _read(config, path)
    if measured is None or not merged.combine(measured, False):
        raise _other(path)
    with new_file(path) as made:
        made.write_bytes(bytes(merged.serialize()))
        made.replace(path)


def _other(path: Path) -> UserError:
    return UserError(f"{path}: no timing cache of this TensorRT and this GPU: give another file to --timing-cache")
