"""The messages of ``/segment/live``, for the server that writes and the client that reads them."""

import json
import struct
from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from train.data.palette import Colour

PROTOCOL = 1
SUBPROTOCOL = "segdistill.v1"
KEY_PREFIX = "segdistill.key."
"""Of the subprotocol that carries an API key, in base64url: browsers can send no header with a WebSocket."""

Form: TypeAlias = Literal["rle", "png"]

_LENGTH = struct.Struct("<I")
_RUN_BYTES = 5  # a uint32 and a uint8


@dataclass(frozen=True)
class Hello:
    """The first message of the server: what the masks of this connection are."""

    model: str
    classes: list[str]
    palette: list[Colour]
    ignore_index: int
    height: int
    """Of the network's input, and of the masks unless ``size=source`` is asked for."""
    width: int
    form: Form
    smoothing: float

    def text(self) -> str:
        """As it is sent."""
        return json.dumps({"type": "hello", "protocol": PROTOCOL, **asdict(self)}, separators=(",", ":"))

    @classmethod
    def parse(cls, text: str) -> "Hello":
        """What `text` has made, fields of later versions left out; `ValueError` if it is something else."""
        message = json.loads(text)
        if not isinstance(message, dict) or message.get("type") != "hello" or message.get("protocol") != PROTOCOL:
            raise ValueError(f"no hello of protocol {PROTOCOL}")
        try:
            given = {name: message[name] for name in cls.__dataclass_fields__}
        except KeyError as error:
            raise ValueError(f"a hello without {error}") from None
        given["palette"] = [tuple(colour) for colour in given["palette"]]
        return cls(**given)


@dataclass(frozen=True)
class Runs:
    """A class map ``(H, W)`` as runs of equal ids, row by row over all of it."""

    lengths: NDArray[np.uint32]
    ids: NDArray[np.uint8]

    @classmethod
    def of(cls, ids: NDArray[np.uint8]) -> "Runs":
        """The runs of a class map."""
        flat = ids.reshape(-1)
        starts = np.concatenate([[0], np.flatnonzero(flat[1:] != flat[:-1]) + 1])
        return cls(np.diff(starts, append=flat.size).astype("<u4"), flat[starts])

    def payload(self) -> bytes:
        """All lengths, then all ids."""
        return self.lengths.tobytes() + self.ids.tobytes()

    def shares(self, classes: list[str]) -> dict[str, float]:
        """Of all pixels, 0..1, of each class that is present, by name, the largest first."""
        pixels = np.bincount(self.ids, self.lengths, minlength=256)[: len(classes)]
        order = [index for index in np.argsort(-pixels, kind="stable") if pixels[index]]
        total = float(self.lengths.sum(dtype=np.uint64))
        return {classes[index]: round(float(pixels[index]) / total, 4) for index in order}


def class_map_of(payload: memoryview, height: int, width: int) -> NDArray[np.uint8]:
    """The class map ``(H, W)`` of `Runs.payload`; `ValueError` if it is none of that size."""
    count, rest = divmod(len(payload), _RUN_BYTES)
    lengths = np.frombuffer(payload, "<u4", count)
    if rest or lengths.sum(dtype=np.uint64) != height * width:
        raise ValueError(f"{len(payload)} bytes are no runs of {height} x {width} pixels")
    return np.repeat(np.frombuffer(payload, np.uint8, offset=4 * count), lengths).reshape(height, width)


def pack(header: dict[str, Any], payload: bytes) -> bytes:
    """One binary message. The payload begins at a multiple of 4: a client can lay an array of uint32 over it."""
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % _LENGTH.size)
    return b"".join([_LENGTH.pack(len(text)), text, payload])


def unpack(message: bytes) -> tuple[dict[str, Any], memoryview]:
    """Header and payload of `pack`; `ValueError` if the bytes are no such message."""
    if len(message) < _LENGTH.size:
        raise ValueError("a message without a header")
    (length,) = _LENGTH.unpack_from(message)
    payload = _LENGTH.size + length
    header = json.loads(message[_LENGTH.size : payload])
    if not isinstance(header, dict):
        raise ValueError("a header that is no object")
    return header, memoryview(message)[payload:]
