"""Content negotiation."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve.accept import choose_media_type

OFFERS = ["image/png", "application/json", "application/geo+json", "application/x-npy"]
PICTURES = ["image/png", "image/jpeg", "image/webp"]


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        ("", "image/png"),
        ("*/*", "image/png"),
        ("*", "image/png"),
        ("image/*", "image/png"),
        ("application/*", "application/json"),
        ("application/json", "application/json"),
        ("application/geo+json", "application/geo+json"),
        ("application/x-npy", "application/x-npy"),
        ("Application/JSON; charset=utf-8", "application/json"),
        ("image/png;q=0.3, application/json;q=0.4", "application/json"),
        ("image/png;q=0, */*", "application/json"),
        ("application/*, application/json;q=0, image/*;q=0.5", "application/geo+json"),
        ("application/*;q=0.2, application/x-npy;q=0.1, image/png;q=0.05", "application/json"),
        ("*/*;q=0.1, application/json", "application/json"),
        ("application/json, text/plain, */*", "application/json"),
        ("image/*, application/*", "image/png"),
        ("application/json, image/png", "image/png"),
        ("application/json, application/json;version=2;q=0", "application/json"),
        ("application/json;version=2;q=0, application/json", "application/json"),
        ("text/html, application/xhtml+xml, */*;q=0.8", "image/png"),
        ("text/html, image/gif, *; q=.2", "image/png"),
        ("text/html", None),
        ("json", None),
        ("image/jpeg, text/*", None),
        ("image/png;q=0", None),
        ("image/png;q=much", None),
        ("image/png;q=-1, application/json;q=nan", None),
        ("image/png;q=0.001", "image/png"),
        (",,", "image/png"),
    ],
)
def test_the_best_offer_is_chosen(accept, chosen):
    assert choose_media_type(accept, OFFERS) == chosen


def test_a_browser_gets_the_picture_that_it_names():
    firefox = "text/html,application/xhtml+xml,application/xml;q=0.9,image/webp,*/*;q=0.8"
    assert choose_media_type(firefox, PICTURES) == "image/webp"


@given(st.text(st.sampled_from('imagepnjso/*+,;=q01. \t"'), max_size=60))
def test_any_header_gives_an_offer_or_none(accept):
    assert choose_media_type(accept, OFFERS) in [*OFFERS, None]
