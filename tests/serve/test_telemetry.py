"""Spans as a real collector of OTLP over HTTP receives them."""

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI, Request

from serve.access_log import AccessLog, record_of
from serve.problem import ProblemError, answer_problems
from serve.request_id import RequestId
from tests.serve.asgi_server import serving

pytest.importorskip("opentelemetry.exporter.otlp.proto.http", reason="needs the extra otel")

from serve.telemetry import Trace, open_tracer_provider
from tests.serve.otlp_collector import collector

ROOT = Path(__file__).parents[2]
TRACE_ID, PARENT_ID = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


async def segment(request: Request) -> str:
    record = record_of(request.scope)
    record.model, record.batch = "streets", 3
    record.times |= {"decode": 2.0, "inference": 14.0}
    return "done"


async def full() -> None:
    raise ProblemError(503, "overloaded", "full")


@pytest.fixture(scope="module")
def spans() -> dict[str, Any]:
    """By name: of a request that was traced by its client, and of one that was refused."""
    app = FastAPI()
    answer_problems(app)
    app.add_api_route("/segment", segment, methods=["POST"])
    app.add_api_route("/full", full)
    with collector() as (endpoint, received):
        provider = open_tracer_provider(endpoint)
        with serving(RequestId(AccessLog(Trace(app, provider)))) as client:
            headers = {"traceparent": f"00-{TRACE_ID}-{PARENT_ID}-01", "X-Request-ID": "r1"}
            assert client.post("/segment", headers=headers).status_code == 200
            assert client.get("/full").status_code == 503
        provider.shutdown()
    (resource,) = received
    assert "segdistill" in {item.value.string_value for item in resource.resource.attributes}
    return {span.name: span for scope in resource.scope_spans for span in scope.spans}


def attributes(span: Any) -> dict[str, Any]:
    return {item.key: item.value.string_value or item.value.int_value for item in span.attributes}


def test_a_request_continues_its_clients_trace(spans: dict[str, Any]) -> None:
    span = spans["POST /segment"]
    assert (span.trace_id.hex(), span.parent_span_id.hex()) == (TRACE_ID, PARENT_ID)
    assert attributes(span) == {
        "http.request.method": "POST",
        "http.route": "/segment",
        "http.response.status_code": 200,
        "segdistill.request_id": "r1",
        "segdistill.model": "streets",
        "segdistill.batch": 3,
    }


def test_stages_are_children_one_after_the_other(spans: dict[str, Any]) -> None:
    parent, decode, inference = spans["POST /segment"], spans["decode"], spans["inference"]
    for child, ms in ((decode, 2), (inference, 14)):
        assert (child.trace_id, child.parent_span_id) == (parent.trace_id, parent.span_id)
        assert child.end_time_unix_nano - child.start_time_unix_nano == ms * 1_000_000
    assert decode.end_time_unix_nano == inference.start_time_unix_nano
    assert inference.end_time_unix_nano <= parent.end_time_unix_nano


def test_a_refusal_is_a_span_of_its_own_trace_with_an_error(spans: dict[str, Any]) -> None:
    span = spans["GET /full"]
    assert span.trace_id.hex() != TRACE_ID
    assert attributes(span)["http.response.status_code"] == 503
    assert span.status.code == 2  # STATUS_CODE_ERROR


def test_a_collector_that_is_not_there_harms_nobody() -> None:
    provider = open_tracer_provider("http://127.0.0.1:9")
    with serving(Trace(FastAPI(), provider)) as client:
        assert client.get("/absent").status_code == 404
    start = time.monotonic()
    provider.shutdown()
    assert time.monotonic() - start < 10


def test_without_the_option_nothing_is_imported_that_could_send() -> None:
    """FastAPI may import the API alone, which does nothing."""
    names = {"opentelemetry.sdk", "opentelemetry.exporter"}
    code = f"import sys, serve.app; print({names} & {{*sys.modules}})"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
