"""Changes of an MP4 file's boxes: what OpenCV cannot write, and cameras and phones do."""

import struct
from collections.abc import Iterator, Sequence
from pathlib import Path

_TO_FRAMES = (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stts")
_QUARTER_TURN = (0, 1 << 16, 0, -(1 << 16), 0, 0, 0, 0, 1 << 30)


def set_durations(path: Path, durations: Sequence[int]) -> None:
    """Show each frame for so many half units of time: a variable frame rate (the box ``stts`` of ISO 14496-12)."""
    data = bytearray(path.read_bytes())
    *parents, (start, size) = _find(data, _TO_FRAMES)
    unit = struct.unpack(">I", data[start + 20 : start + 24])[0] // 2
    entries = b"".join(struct.pack(">II", 1, unit * duration) for duration in durations)
    box = struct.pack(">I4sII", 16 + len(entries), b"stts", 0, len(durations)) + entries
    data[start : start + size] = box
    for parent, length in parents:
        data[parent : parent + 4] = struct.pack(">I", length + len(box) - size)
    edit = _find(data, (b"moov", b"trak", b"edts", b"elst"))[-1][0]
    data[edit + 16 : edit + 20] = struct.pack(">I", 10**6)  # else what comes after the old duration is cut off
    path.write_bytes(data)


def turn(path: Path) -> None:
    """Say that the camera was held upright: players turn the picture by a quarter."""
    data = bytearray(path.read_bytes())
    header = _find(data, (b"moov", b"trak", b"tkhd"))[-1][0]
    data[header + 48 : header + 84] = struct.pack(">9i", *_QUARTER_TURN)
    path.write_bytes(data)


def make_sound(path: Path) -> None:
    """Call the only stream a sound: there is no video."""
    path.write_bytes(path.read_bytes().replace(b"vide", b"soun"))


def _find(data: bytearray, names: Sequence[bytes]) -> list[tuple[int, int]]:
    """Start and size of each box on the way to an inner one; there is one track."""
    found, start, stop = [], 0, len(data)
    for name in names:
        box = next(box for kind, *box in _boxes(data, start, stop) if kind == name)
        found.append((box[0], box[1]))
        start, stop = box[0] + 8, box[0] + box[1]
    return found


def _boxes(data: bytearray, start: int, stop: int) -> Iterator[tuple[bytes, int, int]]:
    while start < stop:
        size, kind = struct.unpack(">I4s", data[start : start + 8])
        yield kind, start, size
        start += size
