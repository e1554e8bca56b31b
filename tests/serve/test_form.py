"""Multipart forms as clients write them, and as they should not."""

import pytest

from serve.form import FormError, parse_form

TYPE = "multipart/form-data; boundary=xyz"
MAX_FIELDS = 16


def form(*fields: tuple[str, bytes]) -> bytes:
    parts = [f"--xyz\r\nContent-Disposition: {how}\r\n\r\n".encode() + data + b"\r\n" for how, data in fields]
    return b"".join(parts) + b"--xyz--\r\n"


def test_fields_come_in_order_with_their_bytes():
    data = bytes(range(256)) * 50 + b"\r\n--xy\r\n\r\n"
    body = form(('form-data; name="image"; filename="a.png"', data), ("form-data; name=b", b""))
    first, second = parse_form(TYPE, body, MAX_FIELDS)
    assert (first.name, first.filename, first.data) == ("image", "a.png", data)
    assert (second.name, second.filename, second.data) == ("b", None, b"")


def test_a_quoted_boundary_and_other_headers():
    body = b"--xyz\r\nContent-Type: image/png\r\ncontent-disposition: form-data; name=a\r\n\r\n1\r\n--xyz--"
    assert parse_form('multipart/form-data; charset=utf-8; boundary="xyz"', body, MAX_FIELDS)[0].data == b"1"


@pytest.mark.parametrize(
    ("content_type", "body", "text"),
    [
        ("multipart/form-data", form(), "no boundary"),
        (TYPE, b"no form at all", "boundary"),
        (TYPE, b"", "last boundary"),
        (TYPE, form(("form-data; name=a", b"1"))[:-5], "last boundary"),
        (TYPE, form(*[("form-data; name=a", b"")] * (MAX_FIELDS + 1)), f"more than {MAX_FIELDS} fields"),
    ],
)
def test_no_form(content_type, body, text):
    with pytest.raises(FormError, match=text):
        parse_form(content_type, body, MAX_FIELDS)
