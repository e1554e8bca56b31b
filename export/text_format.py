"""Protocol buffers' text format, as a config.pbtxt is written in (no torch).

https://protobuf.dev/reference/protobuf/textformat-spec/
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any


class Symbol(str):
    """The name of an enum's value: written without quotes."""


Message = Mapping[str, Any]
"""Fields by name: bool, int, str, `Symbol`, another message, or a list of those."""


def text_format(message: Message, indent: str = "") -> str:
    """One field a line; a list is a repeated field."""
    return "".join(_field(name, value, indent) for name, value in message.items())


def _field(name: str, value: Any, indent: str) -> str:
    if isinstance(value, Mapping):
        return f"{indent}{name} {{\n{text_format(value, indent + '  ')}{indent}}}\n"
    if isinstance(value, Sequence) and not isinstance(value, str):
        if all(isinstance(each, int) for each in value):
            return f"{indent}{name}: [{', '.join(str(each) for each in value)}]\n"
        return "".join(_field(name, each, indent) for each in value)
    return f"{indent}{name}: {_scalar(value)}\n"


def _scalar(value: bool | int | str) -> str:
    if isinstance(value, Symbol):
        return str(value)
    return json.dumps(value, ensure_ascii=False)  # the quotes, escapes, true and false of both are the same
