"""What each kernel needs of each chip, as ptxas counts it (no torch)."""

import re
from typing import NamedTuple

_ENTRY = re.compile(r"Compiling entry function '(?P<kernel>\w+)' for 'sm_(?P<architecture>\d+)a?'")
_STACK = re.compile(r"(?P<stack>\d+) bytes stack frame, (?P<stores>\d+) bytes spill stores, (?P<loads>\d+) bytes spill")
_REGISTERS = re.compile(r"Used (?P<registers>\d+) registers")


class Resources(NamedTuple):
    """Per thread."""

    registers: int
    stack_bytes: int
    spill_bytes: int


Table = dict[str, dict[int, Resources]]
"""By kernel, then by architecture."""


def parse_ptxas(log: str) -> Table:
    """The table in the output of ``ptxas --verbose``."""
    table: Table = {}
    for section in re.split(r"(?=Compiling entry function)", log):
        entry, stack, registers = (pattern.search(section) for pattern in (_ENTRY, _STACK, _REGISTERS))
        if entry and stack and registers:
            resources = Resources(
                registers=int(registers["registers"]),
                stack_bytes=int(stack["stack"]),
                spill_bytes=int(stack["stores"]) + int(stack["loads"]),
            )
            table.setdefault(entry["kernel"], {})[int(entry["architecture"])] = resources
    return table


def markdown(table: Table, version: str) -> str:
    """Registers per thread, a row for each kernel and a column for each chip."""
    chips = sorted({chip for row in table.values() for chip in row})
    lines = [
        f"Registers per thread, by nvcc {version}. A spilled register fails the build.\n",
        "| kernel | " + " | ".join(f"sm_{architecture}" for architecture in chips) + " |",
        "|---|" + "---:|" * len(chips),
    ]
    for kernel in sorted(table):
        cells = [str(table[kernel][architecture].registers) for architecture in chips]
        lines.append(f"| `{kernel}` | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"
