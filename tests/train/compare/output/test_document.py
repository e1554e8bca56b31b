from pathlib import Path

import pytest

from train.compare.output.document import merge
from train.errors import UserError

OURS = "# Results\r\n\r\nWritten by hand: Å.\n"


def test_sections_come_together_and_nothing_else_changes(tmp_path: Path) -> None:
    document = tmp_path / "RESULTS.md"
    document.write_bytes(OURS.encode())
    merge(document, "cpu", "## CPU\n\nold\n")
    merge(document, "gpu", "## GPU\n")
    behind = "\nAnd below it.\n"
    document.write_bytes(document.read_bytes() + behind.encode())
    merge(document, "cpu", "## CPU\n\nnew\n")
    text = document.read_bytes().decode()
    assert text == (
        f"{OURS}\n<!-- compare: cpu -->\n\n## CPU\n\nnew\n\n<!-- end: cpu -->\n"
        f"\n<!-- compare: gpu -->\n\n## GPU\n\n<!-- end: gpu -->\n{behind}"
    )
    merge(document, "cpu", "## CPU\n\nnew\n")
    assert document.read_bytes().decode() == text


def test_a_missing_document_is_begun(tmp_path: Path) -> None:
    merge(tmp_path / "new.md", "a/b", "text")
    assert (tmp_path / "new.md").read_text() == "<!-- compare: a/b -->\n\ntext\n\n<!-- end: a/b -->\n"


@pytest.mark.parametrize(
    "text",
    [
        "<!-- compare: cpu -->\n",
        "<!-- end: cpu -->\n<!-- compare: cpu -->\n",
        "<!-- compare: cpu -->\n<!-- end: cpu -->\n" * 2,
    ],
)
def test_marks_that_do_not_pair_are_left_to_their_owner(tmp_path: Path, text: str) -> None:
    document = tmp_path / "RESULTS.md"
    document.write_text(text)
    with pytest.raises(UserError, match=r"RESULTS.md: must have '<!-- compare: cpu -->' once"):
        merge(document, "cpu", "new")
    assert document.read_text() == text


def test_what_is_no_text_is_refused(tmp_path: Path) -> None:
    document = tmp_path / "picture.png"
    document.write_bytes(b"\x89PNG\xff")
    with pytest.raises(UserError, match="cannot be read"):
        merge(document, "cpu", "new")
    with pytest.raises(UserError, match="cannot be written"):
        merge(tmp_path / "nowhere" / "RESULTS.md", "cpu", "new")
