"""Content negotiation."""

import pytest

from serve.accept import choose_media_type

OFFERS = ["image/png", "application/json"]


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        ("", "image/png"),
        ("*/*", "image/png"),
        ("image/*", "image/png"),
        ("application/json", "application/json"),
        ("Application/JSON; charset=utf-8", "application/json"),
        ("image/png;q=0.3, application/json;q=0.4", "application/json"),
        ("image/png;q=0, */*", "application/json"),
        ("*/*;q=0.1, application/json", "application/json"),
        ("text/html, application/xhtml+xml, */*;q=0.8", "image/png"),
        ("text/html", None),
        ("image/jpeg, text/*", None),
        ("image/png;q=0", None),
        ("image/png;q=much", None),
        (",,", "image/png"),
    ],
)
def test_the_best_offer_is_chosen(accept, chosen):
    assert choose_media_type(accept, OFFERS) == chosen
