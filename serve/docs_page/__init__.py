"""The page at ``/docs``: what can be asked of the server, drawn in the browser from ``/openapi.json``, and to try."""

from pathlib import Path

from serve.page.site import Site

DOCS = Site(Path(__file__).parent / "files", "/docs", "/docs/")
"""It shares the style, the key's dialog and the icon of the page at ``/``."""
