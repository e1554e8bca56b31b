"""One self-contained HTML page: no scripts, no files beside it, everything escaped, readable on a phone (no torch)."""

import base64
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape

import numpy as np
import simplejpeg
from numpy.typing import NDArray

from train.data.palette import Colour
from train.table import numeric

_STYLE = """
:root { --ink: #202124; --soft: #5f6368; --line: #e3e5e8; --paper: #fff; --ground: #f6f7f9; }
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink);
       font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
main { max-width: 1120px; margin: 0 auto; padding: 28px 20px 48px; }
h1 { font-size: 26px; line-height: 1.25; margin: 0; overflow-wrap: anywhere; }
h2 { font-size: 18px; margin: 0 0 14px; }
p { margin: 0 0 14px; color: var(--soft); }
section, .card { background: var(--paper); border: 1px solid var(--line); border-radius: 12px; }
section { padding: 20px; margin-top: 16px; }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(165px, 1fr)); gap: 12px; margin-top: 18px; }
.card { padding: 14px 16px; }
.card dt, .card small { color: var(--soft); font-size: 13px; }
.card dd { margin: 0; font-size: 26px; line-height: 1.3; font-weight: 650; font-variant-numeric: tabular-nums; }
.columns { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 420px), 1fr)); gap: 20px; }
.columns > * { min-width: 0; }
.columns + * { margin-top: 20px; }
img { display: block; width: 100%; height: auto; }
.scroll { overflow-x: auto; }
.scroll img { max-width: max(620px, var(--least)); margin: 0 auto; }
.scroll > div { min-width: var(--least); }
.bars { display: grid; grid-template-columns: auto 1fr auto; gap: 7px 12px; align-items: center; }
.bars .track { background: var(--ground); border-radius: 4px; }
.bars .bar { height: 16px; border-radius: 4px; box-shadow: inset 0 0 0 1px #0003; }
.bars .value { font-variant-numeric: tabular-nums; text-align: right; }
.swatch { display: inline-block; width: 13px; height: 13px; border-radius: 3px; margin-right: 7px;
          box-shadow: inset 0 0 0 1px #0003; vertical-align: -1px; }
.legend { display: flex; flex-wrap: wrap; gap: 4px 16px; font-size: 14px; margin-bottom: 16px; }
.strip { margin: 0 0 18px; }
.strip > figcaption { font-weight: 600; margin-bottom: 6px; overflow-wrap: anywhere; }
.strip > div { display: grid; grid-template-columns: repeat(var(--panels), 1fr); gap: 8px; }
.strip figure { margin: 0; }
.strip figure figcaption { color: var(--soft); font-size: 13px; }
.strip img { border-radius: 6px; }
table { border-collapse: collapse; width: 100%; }
td { padding: 5px 12px 5px 0; border-top: 1px solid var(--line); vertical-align: top; overflow-wrap: anywhere; }
td:first-child { color: var(--soft); white-space: nowrap; }
tr:first-child td { border-top: 0; }
.grid th { font-weight: 600; text-align: left; padding: 0 12px 5px 0; vertical-align: bottom; }
.grid td { white-space: nowrap; font-variant-numeric: tabular-nums; }
.grid .number { text-align: right; }
.grid tr:nth-child(2) td { border-top: 1px solid var(--line); }
summary { cursor: pointer; font-size: 18px; font-weight: 700; }
.colours { margin-bottom: 16px; } .colours summary { font-size: 14px; font-weight: 600; margin-bottom: 6px; }
ul { margin: 0 0 14px; padding-left: 20px; } li { margin-bottom: 6px; }
section > details[open] > summary { margin-bottom: 14px; }
pre { margin: 0; overflow-x: auto; font: 13px/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
@media (max-width: 640px) {
  main { padding: 20px 12px 32px; } section { padding: 16px 14px; }
  .cards { grid-template-columns: 1fr 1fr; } .card dd { font-size: 22px; }
  .strip > div { grid-template-columns: 1fr 1fr; }
}
"""
_LARGEST_ROW = 6
_LARGEST_LEGEND = 40


@dataclass(frozen=True)
class Card:
    """One headline figure, and a small line that puts it into proportion."""

    label: str
    value: str
    note: str = ""


@dataclass
class WebPage:
    """A page built from the top down; every text given to it is escaped."""

    title: str
    subtitle: str
    _body: list[str] = field(default_factory=list)

    def cards(self, cards: Iterable[Card]) -> None:
        """The headline figures."""
        inner = "".join(
            f'<dl class="card" style="margin:0"><dt>{escape(card.label)}</dt><dd>{escape(card.value)}</dd>'
            f"<small>{escape(card.note)}</small></dl>"
            for card in cards
        )
        self._body.append(f'<div class="cards">{inner}</div>')

    def section(self, title: str, *parts: str) -> None:
        """A titled section of the parts that this module's functions make."""
        self._body.append(f"<section><h2>{escape(title)}</h2>{''.join(parts)}</section>")

    def folded(self, title: str, *parts: str) -> None:
        """A section that a click opens."""
        self._body.append(f"<section><details><summary>{escape(title)}</summary>{''.join(parts)}</details></section>")

    def html(self) -> str:
        """The whole page."""
        return (
            '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            f"<title>{escape(self.title)}</title><style>{_STYLE}</style></head>\n<body><main>"
            f'<h1>{escape(self.title)}</h1><p style="margin:4px 0 0">{escape(self.subtitle)}</p>\n'
            + "\n".join(self._body)
            + "\n</main></body></html>\n"
        )


def paragraph(text: str) -> str:
    """A line of explanation."""
    return f"<p>{escape(text)}</p>"


def bullets(texts: Iterable[str]) -> str:
    """A list of sentences."""
    return f"<ul>{''.join(f'<li>{escape(text)}</li>' for text in texts)}</ul>"


def preformatted(text: str) -> str:
    """Text with its own line breaks."""
    return f"<pre>{escape(text)}</pre>"


def columns(*parts: str) -> str:
    """Parts side by side where there is room, below one another on a phone."""
    return f'<div class="columns">{"".join(f"<div>{part}</div>" for part in parts)}</div>'


def chart(png: bytes, description: str) -> str:
    """A chart as wide as its place."""
    return _image("png", png, description)


def scrolling_chart(png: bytes, description: str, least_width: int) -> str:
    """A chart that scrolls sideways where there is less room than ``least_width``, in CSS pixels."""
    return f'<div class="scroll"><div style="--least:{least_width}px">{_image("png", png, description)}</div></div>'


def bars(values: Sequence[tuple[str, float | None, Colour]]) -> str:
    """Named shares in 0..1, each with its own colour; None is shown as absent."""
    rows = (
        f"<span>{escape(name)}</span>"
        f'<span class="track"><div class="bar" style="width:{100 * (value or 0):.1f}%;background:{_css(colour)}">'
        f'</div></span><span class="value">{"absent" if value is None else f"{value:.3f}"}</span>'
        for name, value, colour in values
    )
    return f'<div class="bars">{"".join(rows)}</div>'


def legend(classes: Sequence[str], palette: Sequence[Colour]) -> str:
    """The names of the colours; many of them are behind a click."""
    items = (
        f'<span><i class="swatch" style="background:{_css(colour)}"></i>{escape(name)}</span>'
        for name, colour in zip(classes, palette, strict=True)
    )
    shown = f'<div class="legend">{"".join(items)}</div>'
    if len(classes) <= _LARGEST_LEGEND:
        return shown
    return f'<details class="colours"><summary>Colours of the {len(classes)} classes</summary>{shown}</details>'


def strip(caption: str, pictures: Sequence[tuple[str, NDArray[np.uint8]]]) -> str:
    """Titled RGB pictures ``(H, W, 3)`` in a row, or in more if they are many; in two columns on a phone."""
    figures = (
        f"<figure>{_image('jpeg', _jpeg(pixels), f'{caption}: {title}')}"
        f"<figcaption>{escape(title)}</figcaption></figure>"
        for title, pixels in pictures
    )
    return (
        f'<figure class="strip"><figcaption>{escape(caption)}</figcaption>'
        f'<div style="--panels:{min(len(pictures), _LARGEST_ROW)}">{"".join(figures)}</div></figure>'
    )


def table(rows: Mapping[str, object]) -> str:
    """Names and values."""
    lines = (f"<tr><td>{escape(name)}</td><td>{escape(str(value))}</td></tr>" for name, value in rows.items())
    return f"<table>{''.join(lines)}</table>"


def grid(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table with a title over each column; numbers stand to the right. It scrolls sideways on a phone."""
    cells = [list(row) for row in rows]
    places = ["number" if numeric(column) else "words" for _, *column in zip(head, *cells, strict=True)]
    titles = "".join(f'<th class="{place}">{escape(title)}</th>' for place, title in zip(places, head, strict=True))
    lines = (
        "".join(f'<td class="{place}">{escape(cell)}</td>' for place, cell in zip(places, row, strict=True))
        for row in cells
    )
    body = "".join(f"<tr>{line}</tr>" for line in lines)
    return f'<div class="scroll"><table class="grid"><tr>{titles}</tr>{body}</table></div>'


def _image(kind: str, data: bytes, description: str) -> str:
    encoded = base64.b64encode(data).decode("ascii")
    return f'<img src="data:image/{kind};base64,{encoded}" alt="{escape(description)}">'


def _jpeg(pixels: NDArray[np.uint8]) -> bytes:
    # As PNG, photographs would make the page ten times as heavy; full chroma keeps the edges of the classes.
    return bytes(simplejpeg.encode_jpeg(np.ascontiguousarray(pixels), quality=90, colorsubsampling="444"))


def _css(colour: Colour) -> str:
    return "#{:02x}{:02x}{:02x}".format(*colour)
