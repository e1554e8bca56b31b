"""The tables of an MP4, bounded before FFmpeg believes them.

FFmpeg makes 24 bytes of each sample that a track says it has, once more for each edit, and a track says it in four
bytes: a file of some kilobytes would take all memory there is. Sound may have millions of samples; it is not heard
here, and its tracks are hidden.
"""

import io
from collections.abc import Iterator
from typing import BinaryIO, cast

from serve.video.errors import NO_PICTURE, UnknownVideoError, VideoError, VideoTooLargeError

_COUNTS = {b"stsz": 8, b"stz2": 8, b"trun": 4}  # where a table's number of samples is, bytes after its name
_EDITS = {b"elst": 4}
_MOST_EDITS = 16  # a phone writes one or two

_Span = tuple[int, int]


def bounded(file: BinaryIO, samples: int) -> BinaryIO:
    """An MP4 or MOV without the tracks that have no picture.

    Raises:
        VideoTooLargeError: its tables name more than ``samples``.
        UnknownVideoError: no track has a picture.
        VideoError: its tables are compressed, or repeat its samples more often than cameras do.
    """
    hidden, found, edits = list[_Span](), 0, 0
    for start, box in _heads(file):
        for begin, end in _pictureless(box):
            box[begin:end] = bytes(end - begin)
            hidden.append((start + begin, start + end))
        if b"cmov" in box:
            raise VideoError("the video's header is compressed: write it anew, `ffmpeg -i FILE -c copy NEW.mp4`")
        found += _named(box, _COUNTS)
        edits += _named(box, _EDITS)
    if found > samples:
        raise VideoTooLargeError(f"the video lists {found} frames, more than are read of one: cut it")
    if edits > _MOST_EDITS:
        raise VideoError(f"the video has {edits} edits, the limit is {_MOST_EDITS}: encode it anew")
    file.seek(0)
    return cast(BinaryIO, _Hiding(file, hidden))


class _Hiding:
    """A file to read whose ``hidden`` bytes are zeros."""

    def __init__(self, file: BinaryIO, hidden: list[_Span]) -> None:
        self._file = file
        self._hidden = hidden

    def read(self, size: int = -1) -> bytes:
        """As of any file."""
        start, data = self._file.tell(), self._file.read(size)
        for begin, end in self._hidden:
            first, last = max(begin - start, 0), min(end - start, len(data))
            if first < last:
                data = data[:first] + bytes(last - first) + data[last:]
        return data

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """As of any file."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """As of any file."""
        return self._file.tell()


def _heads(file: BinaryIO) -> Iterator[tuple[int, bytearray]]:
    """Where each box begins, and its bytes; without those that hold frames. What is no box is one up to the end."""
    start = 0
    while head := _read(file, start, 16):
        size = _size(head)
        if head[4:8] != b"mdat" or size is None:
            yield start, bytearray(_read(file, start, size or -1))
        if not size:
            return
        start += size


def _read(file: BinaryIO, start: int, size: int) -> bytes:
    file.seek(start)
    return file.read(size)


def _size(head: bytes) -> int | None:
    """Of a box with its head; 0: up to the end, None: it is no box."""
    size = int.from_bytes(head[:4], "big")
    if size == 1:
        size = int.from_bytes(head[8:16], "big")
        return size if 16 <= size < 2**63 else None
    return size if len(head) >= 8 and (size >= 8 or not size) else None


def _pictureless(box: bytearray) -> list[_Span]:
    """The tracks of a ``moov`` that have no picture, from their name on."""
    if box[4:8] != b"moov":
        return []
    tracks = [span for name, span in _children(box, 8, len(box)) if name == b"trak"]
    without = [span for span in tracks if not _shows(box, span)]
    if tracks and len(without) == len(tracks):
        raise UnknownVideoError(NO_PICTURE)
    return without


def _shows(box: bytearray, track: _Span) -> bool:
    media = [span for name, span in _children(box, track[0] + 4, track[1]) if name == b"mdia"]
    inner = [child for begin, end in media for child in _children(box, begin + 4, end)]
    return any(name == b"hdlr" and box[begin + 12 : begin + 16] == b"vide" for name, (begin, _) in inner)


def _children(box: bytearray, start: int, end: int) -> Iterator[tuple[bytes, _Span]]:
    """The name of each box between ``start`` and ``end``, and where it is, from its name on."""
    while start + 8 <= end:
        size = int.from_bytes(box[start : start + 4], "big")
        if size < 8:
            return
        yield bytes(box[start + 4 : start + 8]), (start + 4, min(start + size, end))
        start += size


def _named(box: bytearray, tables: dict[bytes, int]) -> int:
    """The sum of what the tables in a box say they have, wherever they are in it."""
    return sum(
        int.from_bytes(box[at + 4 + offset : at + 8 + offset], "big")
        for name, offset in tables.items()
        for at in _found(box, name)
    )


def _found(box: bytearray, name: bytes) -> Iterator[int]:
    at = box.find(name)
    while at >= 0:
        yield at
        at = box.find(name, at + 4)
