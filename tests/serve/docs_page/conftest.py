"""The browser of the tests of the page at ``/``."""

from tests.serve.page.conftest import browser, context, open_page, picture

__all__ = ["browser", "context", "open_page", "picture"]
