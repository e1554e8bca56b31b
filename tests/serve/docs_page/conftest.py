"""The browser of the tests of the page at ``/``."""

from tests.serve.page.conftest import browser, open_page, picture

__all__ = ["browser", "open_page", "picture"]
