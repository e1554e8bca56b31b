"""What all charts have in common: colours, lines and letters, and the way to PNG bytes (no torch)."""

import io
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Okabe and Ito's colours, which people with colour-blindness can tell apart (https://jfly.uni-koeln.de/color/)."""
INK, SOFT, FAINT = "#3c4043", "#5f6368", "#9aa0a6"
"""Greys: of words, of what stands beside them, and of what matters little."""

STYLE: Any = {  # matplotlib types the keys as a literal of all its names
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": FAINT,
    "axes.labelcolor": INK,
    "axes.titlelocation": "left",
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.grid": True,
    "grid.color": "#e8eaed",
    "xtick.color": SOFT,
    "ytick.color": SOFT,
    "legend.frameon": False,
    "legend.fontsize": 9,
    # Half of a desktop page or the whole of a phone: small enough that the text stays readable on the latter.
    "figure.figsize": (5.2, 3.6),
    "figure.dpi": 200,
}


def literal(name: str) -> str:
    """matplotlib reads ``$`` as mathematics, and hides a label that starts with an underscore."""
    text = name.replace("$", r"\$")
    return f" {text}" if text.startswith("_") else text


def png(figure: Figure) -> bytes:
    """The figure as a file."""
    buffer = io.BytesIO()
    FigureCanvasAgg(figure).print_png(buffer)  # type: ignore[no-untyped-call]
    return buffer.getvalue()
