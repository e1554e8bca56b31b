"""A table of text, and how it is shown: in a document, in a terminal."""

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from rich.table import Table as ConsoleTable
from rich.text import Text

NOTHING = "–"
"""A cell for which there is no value."""

# An underscore inside a word means nothing to Markdown.
_MARKDOWN = re.compile(r"[\\`*~\[<&|$]|(?<!\w)_|_(?!\w)")
_NUMBER = re.compile(rf"[-+−<]? ?\d[^,]*$|{NOTHING}?$")


class Table(NamedTuple):
    """Cells as text; the first column names the rows."""

    title: str
    head: list[str]
    rows: list[list[str]]


def markdown(table: Table, level: int = 2) -> str:
    """A heading of this level, and the table."""

    def line(cells: list[str]) -> str:
        return "| " + " | ".join(map(escaped, cells)) + " |"

    rule = "".join("---:|" if numeric(cells) else "---|" for _, *cells in zip(table.head, *table.rows, strict=True))
    return "\n".join(
        [f"{'#' * level} {escaped(table.title)}", "", line(table.head), f"|{rule}", *map(line, table.rows), ""]
    )


def filled(tables: Iterable[Table]) -> list[Table]:
    """Those that have something to show."""
    return [table for table in tables if table.rows and len(table.head) > 1]


def numeric(cells: Sequence[str]) -> bool:
    """Whether a column is one of numbers, which stand to the right; some may be missing, or have words behind them."""
    return all(_NUMBER.match(cell) for cell in cells)


def escaped(text: str) -> str:
    """One line of Markdown that reads as the text does, whatever stands in it."""
    return _MARKDOWN.sub(lambda found: f"\\{found.group()}", " ".join(text.split()))


def console(table: Table) -> ConsoleTable:
    """Turned, for a terminal is narrow: a row is a column."""
    shown = ConsoleTable(title=Text(table.title), title_justify="left")
    shown.add_column("")
    for row in table.rows:
        shown.add_column(Text(row[0]), justify="right")
    for title, *cells in zip(table.head[1:], *(row[1:] for row in table.rows), strict=True):
        shown.add_row(Text(title), *map(Text, cells))
    return shown
