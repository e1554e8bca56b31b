"""Where tables are printed: as wide as the terminal, and wide enough in a file or a log."""

from rich.console import Console

_WIDTH_OF_A_FILE = 120


def table_console() -> Console:
    """On stdout."""
    console = Console()
    if not console.is_terminal:
        console.width = _WIDTH_OF_A_FILE
    return console
