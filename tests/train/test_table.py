import io

from rich.console import Console

from train.table import Table, console, escaped, markdown

ODD = "<b>a|b</b> _c_ d_e *f*\n`g` $1"
TABLE = Table("Scores of a|b", ["run", "mIoU", ODD], [["one", "0.5", "x"], ["[red]", "0.7", ODD]])


def test_names_are_read_in_a_document_as_they_are_written() -> None:
    assert escaped(ODD) == r"\<b>a\|b\</b> \_c\_ d_e \*f\* \`g\` \$1"
    title, empty, head, rule, *rows, end = markdown(TABLE, level=3).split("\n")
    assert (title, empty, rule, end) == (r"### Scores of a\|b", "", "|---|---:|---|", "")
    assert rows == ["| one | 0.5 | x |", rf"| \[red] | 0.7 | {escaped(ODD)} |"]
    assert head.startswith("| run | mIoU |")


def test_a_terminal_gets_a_row_as_a_column_and_names_as_they_are() -> None:
    screen = io.StringIO()
    Console(file=screen, width=100).print(console(TABLE))
    words = [line.replace("┃", " ").replace("│", " ").split() for line in screen.getvalue().splitlines()]
    assert ["one", "[red]"] in words
    assert ["mIoU", "0.5", "0.7"] in words
