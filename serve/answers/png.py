"""Write a class map as an 8-bit palette PNG (PNG specification, https://www.w3.org/TR/png-3/)."""

import struct
import zlib

import numpy as np
from numpy.typing import NDArray

from train.data.palette import Colour

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_UP = 2  # the filter type "difference to the row above"


def indexed_png(ids: NDArray[np.uint8], palette: list[Colour]) -> bytes:
    """``ids`` ``(H, W)`` as the pixel values of a PNG, shown in the colours of ``palette`` (black beyond it).

    A class map is mostly equal to the row above. With that filter and run-length compression, 2048 x 1024 pixels of
    19 classes take half the time and a third of the bytes of Pillow at compression level 1, fewer bytes than at
    level 6, and zlib works without Python's lock.
    """
    height, width = ids.shape
    header = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)  # 8 bits, palette
    colours = np.zeros((256, 3), np.uint8)  # a value without an entry would make the file invalid
    colours[: len(palette)] = palette
    chunks = (b"IHDR", header), (b"PLTE", colours.tobytes()), (b"IDAT", _compress(_filter_up(ids))), (b"IEND", b"")
    return _SIGNATURE + b"".join(_chunk(kind, data) for kind, data in chunks)


def _filter_up(ids: NDArray[np.uint8]) -> NDArray[np.uint8]:
    rows = np.empty((ids.shape[0], ids.shape[1] + 1), np.uint8)
    rows[:, 0] = _UP
    rows[0, 1:] = ids[0]
    np.subtract(ids[1:], ids[:-1], out=rows[1:, 1:])  # modulo 256, as the filter asks
    return rows


def _compress(rows: NDArray[np.uint8]) -> bytes:
    compressor = zlib.compressobj(level=1, memLevel=9, strategy=zlib.Z_RLE)
    return compressor.compress(rows.data) + compressor.flush()


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(data, zlib.crc32(kind)))
