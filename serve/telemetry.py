"""Spans of requests and of their stages, sent to an OpenTelemetry collector; by option, with the `otel` extra."""

import time

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serve.access_log import RequestRecord, record_of
from serve.problem import CLIENT_GONE
from serve.request_id import request_id_of

_PROPAGATOR = TraceContextTextMapPropagator()


def open_tracer_provider(endpoint: str) -> TracerProvider:
    """Spans go in batches, from a thread, to ``endpoint`` (``http://collector:4318``); those it does not take are lost.

    Sampling and further attributes come from OpenTelemetry's own environment, e.g. ``OTEL_TRACES_SAMPLER``. Shut the
    provider down at the end, for the last spans.
    """
    provider = TracerProvider(resource=Resource.create({SERVICE_NAME: "segdistill"}), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(f"{endpoint.rstrip('/')}/v1/traces", timeout=5)))
    return provider


class Trace:
    """Middleware, inside of `serve.access_log.AccessLog`: a span a request, continuing the client's trace.

    The stages were timed one after the other in other threads; their spans lie in this order before the answer's start.
    """

    def __init__(self, app: ASGIApp, provider: TracerProvider) -> None:
        self._app = app
        self._tracer = provider.get_tracer("segdistill.serve")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        carrier = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        span = self._tracer.start_span(scope["method"], _PROPAGATOR.extract(carrier), SpanKind.SERVER)
        answered = (CLIENT_GONE, 0)

        async def watch(message: Message) -> None:
            nonlocal answered
            if message["type"] == "http.response.start":
                answered = message["status"], time.time_ns()
            await send(message)

        try:
            await self._app(scope, receive, watch)
        finally:
            if span.is_recording():
                status, moment = answered
                _describe(span, scope, status)
                self._add_stages(span, record_of(scope), moment)
            span.end()

    def _add_stages(self, parent: Span, record: RequestRecord, answered_ns: int) -> None:
        context = set_span_in_context(parent)
        start_ns = answered_ns - round(sum(record.times.values()) * 1e6)
        for stage, ms in record.times.items():
            span = self._tracer.start_span(stage, context, start_time=start_ns)
            start_ns += round(ms * 1e6)
            span.end(start_ns)


def _describe(span: Span, scope: Scope, status: int) -> None:
    record = record_of(scope)
    route = getattr(scope.get("route"), "path", None)
    if route is not None:
        span.update_name(f"{scope['method']} {route}")
    attributes = {
        "http.request.method": scope["method"],
        "http.route": route,
        "http.response.status_code": status,
        "segdistill.request_id": request_id_of(scope),
        "segdistill.model": record.model or None,
        "segdistill.batch": record.batch,
    }
    span.set_attributes({name: value for name, value in attributes.items() if value is not None})
    if status >= 500:
        span.set_status(Status(StatusCode.ERROR))
