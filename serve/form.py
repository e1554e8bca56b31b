"""The fields of a multipart form (RFC 7578), in memory: the framework's own reader spools files to a disk, which the
read-only container of an edge box has not."""

from dataclasses import dataclass, field
from typing import Any

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from train.errors import UserError


class FormError(UserError):
    """The body is no multipart form."""


@dataclass
class Field:
    """One field of a form; ``filename`` is None where it is no file."""

    name: str = ""
    filename: str | None = None
    data: bytearray = field(default_factory=bytearray)


def parse_form(content_type: str, body: bytes, max_fields: int) -> list[Field]:
    """The fields of a form in their order; `FormError` if it is damaged, cut off, or has more than ``max_fields``."""
    _, options = parse_options_header(content_type)
    if b"boundary" not in options:
        raise FormError("its Content-Type names no boundary")
    reader = _Reader(max_fields)
    try:
        MultipartParser(options[b"boundary"], reader.callbacks()).write(body)
    except FormParserError as error:
        raise FormError(" ".join(str(error).split())) from None
    if not reader.complete:
        raise FormError("it ends before its last boundary")
    return reader.fields


class _Reader:
    """Collects what the parser calls out."""

    def __init__(self, max_fields: int) -> None:
        self.fields: list[Field] = []
        self._max_fields = max_fields
        self.complete = False
        self._header = bytearray()
        self._value = bytearray()

    def callbacks(self) -> Any:
        """By the parser's names for its events."""
        return {
            "on_part_begin": self._begin,
            "on_header_field": lambda data, start, end: self._header.extend(data[start:end]),
            "on_header_value": lambda data, start, end: self._value.extend(data[start:end]),
            "on_header_end": self._header_end,
            "on_part_data": lambda data, start, end: self.fields[-1].data.extend(data[start:end]),
            "on_end": self._end,
        }

    def _begin(self) -> None:
        if len(self.fields) == self._max_fields:
            raise FormError(f"it has more than {self._max_fields} fields")
        self.fields.append(Field())

    def _header_end(self) -> None:
        if self._header.lower() == b"content-disposition":
            _, options = parse_options_header(bytes(self._value))
            self.fields[-1].name = options.get(b"name", b"").decode("utf-8", "replace")
            if b"filename" in options:
                self.fields[-1].filename = options[b"filename"].decode("utf-8", "replace")
        self._header.clear()
        self._value.clear()

    def _end(self) -> None:
        self.complete = True
