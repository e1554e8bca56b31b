"""Write class maps and pictures as PNG (PNG specification, https://www.w3.org/TR/png-3/)."""

import struct
import zlib

import numpy as np
from numpy.typing import NDArray
from zlib_ng import zlib_ng

from export.manifest import Manifest
from serve.segmentation import AnswerOptions, Segmentation
from train.data.palette import Colour

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_TRUECOLOUR, _INDEXED = 2, 3  # colour types
_UP = 2  # the filter type "difference to the row above"


def encode_png(segmentation: Segmentation, manifest: Manifest, _: AnswerOptions) -> tuple[bytes, dict[str, str]]:
    """An 8-bit palette PNG whose pixel values are the class ids."""
    return indexed_png(segmentation.ids, manifest.palette), {}


def indexed_png(ids: NDArray[np.uint8], palette: list[Colour]) -> bytes:
    """``ids`` ``(H, W)`` as the pixel values of a PNG, shown in the colours of ``palette`` (black beyond it)."""
    colours = np.zeros((256, 3), np.uint8)  # a value without an entry would make the file invalid
    colours[: len(palette)] = palette
    return _png(ids, ids.shape[1], _INDEXED, (b"PLTE", colours.tobytes()))


def truecolour_png(image: NDArray[np.uint8]) -> bytes:
    """RGB ``(H, W, 3)``, lossless."""
    height, width = image.shape[:2]
    return _png(image.reshape(height, 3 * width), width, _TRUECOLOUR)


def _png(rows: NDArray[np.uint8], width: int, colour_type: int, *chunks: tuple[bytes, bytes]) -> bytes:
    header = struct.pack(">IIBBBBB", width, rows.shape[0], 8, colour_type, 0, 0, 0)
    chunks = (b"IHDR", header), *chunks, (b"IDAT", _compress(_filter_up(rows))), (b"IEND", b"")
    return _SIGNATURE + b"".join(_chunk(kind, data) for kind, data in chunks)


def _filter_up(rows: NDArray[np.uint8]) -> NDArray[np.uint8]:
    filtered = np.empty((rows.shape[0], rows.shape[1] + 1), np.uint8)
    filtered[:, 0] = _UP
    filtered[0, 1:] = rows[0]
    np.subtract(rows[1:], rows[:-1], out=filtered[1:, 1:])  # modulo 256, as the filter asks
    return filtered


def _compress(rows: NDArray[np.uint8]) -> bytes:
    """Level 1 with run-length matching only: a class map is mostly equal to the row above, and then all zeros."""
    compressor = zlib_ng.compressobj(level=1, memLevel=9, strategy=zlib_ng.Z_RLE)
    return compressor.compress(rows.data) + compressor.flush()


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(data, zlib.crc32(kind)))
