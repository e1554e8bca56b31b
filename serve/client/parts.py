"""A multipart/mixed answer, part by part, while it comes."""

from collections.abc import Iterator, Mapping
from email.message import Message
from typing import NamedTuple

_HEAD_END = b"\r\n\r\n"
_LONGEST_HEAD = 16_384


class Part(NamedTuple):
    """One part."""

    headers: Mapping[str, str]
    body: bytes


class PartReader:
    """Put in what comes over the wire, and take the parts that are whole. Every part tells its Content-Length.

    Args:
        content_type: of the whole answer.

    Raises:
        ValueError: from every method, where it is no answer of this kind.
    """

    def __init__(self, content_type: str) -> None:
        header = Message()
        header["Content-Type"] = content_type
        boundary = header.get_boundary()
        if header.get_content_type() != "multipart/mixed" or not boundary:
            raise ValueError(content_type)
        self.complete = False
        self._delimiter = f"--{boundary}".encode()
        self._data = bytearray()

    def feed(self, data: bytes) -> Iterator[Part]:
        """The parts that ``data`` completes."""
        self._data += data
        while not self.complete and (part := self._next()) is not None:
            yield part

    def _next(self) -> Part | None:
        if self._data.startswith(self._delimiter + b"--"):
            self.complete = True
            return None
        end = self._data.find(_HEAD_END)
        if end < 0:
            if len(self._data) > _LONGEST_HEAD:
                raise ValueError("a head without an end")
            return None
        delimiter, *lines = self._data[:end].decode("latin-1").split("\r\n")
        if delimiter.encode() != self._delimiter:
            raise ValueError("no delimiter before a part")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        start = end + len(_HEAD_END)
        stop = start + int(headers["content-length"])
        if len(self._data) < stop + 2:
            return None
        body = bytes(self._data[start:stop])
        del self._data[: stop + 2]
        return Part(headers, body)
