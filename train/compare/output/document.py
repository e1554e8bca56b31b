"""Sections of a Markdown document that programs write, between marks; all else is left as it is (no torch)."""

from pathlib import Path

from train.durable import atomic_path, writing
from train.errors import UserError


def merge(document: Path, name: str, markdown: str) -> None:
    """Put ``markdown`` between ``<!-- compare: NAME -->`` and ``<!-- end: NAME -->``.

    What stood there is replaced; without such marks it is appended. Nothing else of the document changes, so that
    comparisons of several machines, each of its own name, come together in one. A missing document is begun.

    Raises:
        UserError: the marks are not one of each in this order, or the document cannot be read or written.
    """
    start, end = f"<!-- compare: {name} -->", f"<!-- end: {name} -->"
    before, after = _around(document, start, end)
    with writing(document, "check the path"), atomic_path(document) as path:
        path.write_bytes(f"{before}{start}\n\n{markdown.strip()}\n\n{end}{after}".encode())


def _around(document: Path, start: str, end: str) -> tuple[str, str]:
    """What stands before and behind the section, line ends as they are."""
    try:
        text = document.read_bytes().decode()
    except FileNotFoundError:
        return "", "\n"
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{document}: cannot be read ({error}): give a Markdown document in UTF-8") from None
    marks = text.count(start), text.count(end)
    if marks == (0, 0):
        gap = "\n" * (2 - min(2, len(text) - len(text.rstrip("\n")))) if text else ""
        return f"{text}{gap}", "\n"
    if marks != (1, 1) or text.index(end) < text.index(start):
        raise UserError(f"{document}: must have '{start}' once, and '{end}' once below it: put them right by hand")
    return text[: text.index(start)], text[text.index(end) + len(end) :]
