"""Requests nobody would think of: whatever comes, the answer is a success, a client's error, or 503."""

import contextlib
import io
from collections.abc import Callable

import httpx
import numpy as np
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from PIL import Image
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from serve.problem import MEDIA_TYPE, Problem
from tests.serve.reliability.conftest import Target

QUICK = settings(
    max_examples=60,
    deadline=5000,
    derandomize=True,  # a suite that fails by chance is not believed
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.filter_too_much],
)
LONG = settings(QUICK, max_examples=1500, derandomize=False)
Texts = dict[str, str]
KINDS = ("PNG", "JPEG", "WEBP", "BMP")


def check(answer: httpx.Response) -> None:
    assert answer.status_code < 500 or answer.status_code == 503, answer.text
    if answer.status_code >= 400:
        assert answer.headers["content-type"] == MEDIA_TYPE
        problem = Problem.model_validate_json(answer.content)
        assert problem.status == answer.status_code
        assert problem.request_id == answer.headers["x-request-id"]
        assert "Traceback" not in answer.text


def pictures() -> st.SearchStrategy[bytes]:
    """Small real files of every kind, cut, spliced and with bytes changed."""
    files = []
    for kind in KINDS:
        file = io.BytesIO()
        Image.fromarray(np.arange(24 * 16 * 3, dtype=np.uint32).astype(np.uint8).reshape(24, 16, 3)).save(file, kind)
        files.append(file.getvalue())

    @st.composite
    def damaged(draw: Callable[..., object]) -> bytes:
        data = bytearray(draw(st.sampled_from(files)))  # type: ignore[call-overload]
        for _ in range(draw(st.integers(0, 6))):  # type: ignore[call-overload]
            data[draw(st.integers(0, len(data) - 1))] = draw(st.integers(0, 255))  # type: ignore[index,call-overload]
        end = draw(st.integers(1, len(data)))
        return bytes(data[: end if draw(st.booleans()) else None]) + draw(st.binary(max_size=40))  # type: ignore[misc,operator]

    return st.one_of(damaged(), st.binary(max_size=200))


HEADERS = st.dictionaries(
    st.sampled_from(["accept", "content-type", "x-request-id", "range", "expect", "authorization", "accept-encoding"]),
    st.one_of(
        st.sampled_from(
            ["image/png", "*/*;q=nan", "multipart/form-data", "multipart/form-data; boundary=", "bytes=0-1"]
        ),
        st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=60),
    ),
)
QUERY = st.dictionaries(
    st.sampled_from(["overlay", "size", "confidence", "classes", "tolerance", "model", "unknown"]),
    st.one_of(
        st.sampled_from(["true", "network", "0", "red,1", "-1", "1e999", "nan", "\0", "../../etc"]),
        st.text(max_size=20),
    ),
)


PART = st.tuples(
    st.sampled_from(["image", "other", "", 'a"b']), st.booleans(), st.one_of(st.binary(max_size=50), pictures())
)
ALMOST_HTTP = st.sampled_from("GETPOS /:HTP1.\r\n0;,ac")


def ask(target: Target, body: bytes, headers: Texts, query: Texts) -> None:
    encoded = {name: value.strip().encode("latin-1") for name, value in headers.items()}
    parameters = {name: value.encode("utf-8", "replace") for name, value in query.items()}
    check(target.client.post("/segment", content=body, headers=encoded, params=parameters))  # type: ignore[arg-type]


@QUICK
@given(body=pictures(), headers=HEADERS, query=QUERY)
def test_any_bytes_headers_and_parameters(unharmed: Target, body: bytes, headers: Texts, query: Texts) -> None:
    ask(unharmed, body, headers, query)


@pytest.mark.slow
@LONG
@given(body=pictures(), headers=HEADERS, query=QUERY)
def test_many_more_of_them(unharmed: Target, body: bytes, headers: Texts, query: Texts) -> None:
    ask(unharmed, body, headers, query)


@QUICK
@given(
    parts=st.lists(PART, max_size=6),
    cut=st.integers(0, 60),
)
def test_any_form(unharmed: Target, parts: list[tuple[str, bool, bytes]], cut: int) -> None:
    lines = []
    for name, is_file, data in parts:
        file = '; filename="f"' if is_file else ""
        lines.append(
            b'--b\r\nContent-Disposition: form-data; name="%b"%b\r\n\r\n%b\r\n' % (name.encode(), file.encode(), data)
        )
    body = b"".join(lines) + b"--b--\r\n"
    headers = {"content-type": "multipart/form-data; boundary=b"}
    check(unharmed.client.post("/segment", content=body[: len(body) - cut] or b"-", headers=headers))


@QUICK
@given(data=st.one_of(st.binary(min_size=1, max_size=300), st.text(ALMOST_HTTP, min_size=1).map(str.encode)))
def test_any_bytes_on_a_connection(unharmed: Target, data: bytes) -> None:
    raw = unharmed.send(data + b"\r\n\r\n")
    assert raw == b"" or 200 <= int(raw[9:12]) < 500, raw


@pytest.fixture(scope="module")
def schema(target: Target) -> schemathesis.BaseSchema:
    return schemathesis.openapi.from_dict(target.client.get("/openapi.json").json())


def explore(target: Target, schema: schemathesis.BaseSchema, examples: int) -> int:
    """Requests made from the server's own description, right and wrong ones; how many there were."""
    count = 0
    checks = (not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance)
    for operation in schema.get_all_operations():
        for mode in schemathesis.GenerationMode:

            @settings(QUICK, max_examples=examples)
            @given(case=operation.ok().as_strategy(generation_mode=mode))
            def run(case: schemathesis.Case) -> None:
                nonlocal count
                count += 1
                response = case.call(base_url=target.server.url, timeout=20)
                if response.status_code != 503:
                    case.validate_response(response, checks=checks)

            with contextlib.suppress(Unsatisfiable):  # there is nothing to get wrong in a path without parameters
                run()
    return count


def test_what_the_description_promises(unharmed: Target, schema: schemathesis.BaseSchema) -> None:
    assert explore(unharmed, schema, 15) > 50


@pytest.mark.slow
def test_what_the_description_promises_for_long(unharmed: Target, schema: schemathesis.BaseSchema) -> None:
    explore(unharmed, schema, 400)
