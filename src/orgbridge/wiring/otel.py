"""OpenTelemetry: requests, calls to Salesforce and webhooks, statements and steps of the engine as spans over OTLP.

What leaves the house is chosen by name. A URL's query holds SOQL, its path may hold the value of an external id, an
exception's text may quote a row: none of these is an attribute that goes out.

Laws:
1. A span carries only attributes of `_ATTRIBUTES` and of ours; no events, no texts of errors.
2. The address of a call is its host and its kind; of a webhook the host.
3. A call or a statement that is part of no trace makes none: a worker's looking around is no trace.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from opentelemetry import propagate, trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.aiohttp_client import AioHttpClientInstrumentor
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
from opentelemetry.instrumentation.sqlalchemy import SQLAlchemyInstrumentor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import Decision, Sampler, SamplingResult
from opentelemetry.trace import Link, SpanKind, Status, TraceState
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from opentelemetry.util.types import Attributes as SpanAttributes
from yarl import URL

from orgbridge.client.transport.kinds import kind_of
from orgbridge.kit import traces
from orgbridge.store.database import Database

#: Seconds that one sending may take, tries included; also how long the end of a process may wait for it.
_SEND_SECONDS: Final = 3
_OURS: Final = ("orgbridge.", "user", "organization")
_ATTRIBUTES: Final = frozenset(
    {
        *("http.method", "http.request.method", "http.status_code", "http.response.status_code", "http.route"),
        *("http.scheme", "url.scheme", "http.flavor", "network.protocol.version", "error.type"),
        *("net.peer.name", "net.peer.port", "server.address", "server.port"),
        *("db.system", "db.system.name", "db.operation", "db.operation.name", "db.statement", "db.query.text"),
    }
)
#: Addresses: only of our own calls, where `_address` has cut them.
_ADDRESSES: Final = frozenset({"http.url", "url.full"})


class OpenTelemetry:
    """Keeps spans and sends them. There can be one in a process."""

    def __init__(self, url: str, *, role: str, version: str) -> None:
        """Begin to keep spans.

        Args:
            url: Where they are posted.
            role: Part of the service's name.
            version: The service's.
        """
        told = Resource.create({"service.version": version})
        if str(told.attributes.get("service.name", "")).startswith("unknown_service"):
            told = told.merge(Resource({"service.name": f"orgbridge-{role}"}))
        self._provider = TracerProvider(resource=told, shutdown_on_exit=False)
        self._provider.sampler = _NoStrays(self._provider.sampler)
        exporter = _Discreet(OTLPSpanExporter(endpoint=url, timeout=_SEND_SECONDS))
        self._provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=1000))
        self._tracer = self._provider.get_tracer("orgbridge")
        self._context = TraceContextTextMapPropagator()
        # Not `baggage`: what a caller puts there is none of Salesforce's business.
        propagate.set_global_textmap(self._context)
        AioHttpClientInstrumentor().instrument(tracer_provider=self._provider, url_filter=_address)

    def observe_app(self, app: Any) -> None:
        """Make a span of every request."""
        FastAPIInstrumentor.instrument_app(
            app,
            tracer_provider=self._provider,
            excluded_urls="/health,/metrics$",
            exclude_spans=["receive", "send"],
        )

    def observe_database(self, database: Database) -> None:
        """Make a span of every statement that is part of a trace."""
        # Its declared range ends before SQLAlchemy 2.1, where the events that it listens to are as they were; without
        # the last word it would log an error and do nothing. tests/integration/test_traces.py says when that changes.
        database.observe(
            lambda engine: SQLAlchemyInstrumentor().instrument(
                engine=engine, tracer_provider=self._provider, skip_dep_check=True
            )
        )

    @contextmanager
    def span(self, name: str, attributes: traces.Attributes, parent: str | None) -> Iterator[None]:
        """Open a span, in the trace of `parent` when it is given, else in the present one."""
        context = self._context.extract({traces.TRACEPARENT: parent}) if parent is not None else None
        with self._tracer.start_as_current_span(
            name, context=context, attributes=dict(attributes), record_exception=False
        ):
            yield

    def present(self) -> str | None:
        """Return the `traceparent` of the present span."""
        carrier: dict[str, str] = {}
        self._context.inject(carrier)
        return carrier.get(traces.TRACEPARENT)

    def tell(self, name: str, attributes: traces.Attributes) -> None:
        """Name the present span and add to its attributes."""
        present = trace.get_current_span()
        if present.is_recording():
            present.update_name(name)
            present.set_attributes(dict(attributes))

    async def close(self) -> None:
        """Send what is kept, for some seconds at most, and keep no more."""
        traces.install(None)
        AioHttpClientInstrumentor().uninstrument()
        await asyncio.to_thread(self._provider.shutdown)


class _NoStrays(Sampler):
    """Leaves out calls and statements that would each begin a trace of their own."""

    def __init__(self, others: Sampler) -> None:
        self._others = others

    def should_sample(
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        attributes: SpanAttributes = None,
        links: Sequence[Link] | None = None,
        trace_state: TraceState | None = None,
    ) -> SamplingResult:
        """Decide."""
        if kind is SpanKind.CLIENT and not trace.get_current_span(parent_context).get_span_context().is_valid:
            return SamplingResult(Decision.DROP)
        return self._others.should_sample(parent_context, trace_id, name, kind, attributes, links)

    def get_description(self) -> str:
        """Say what this is."""
        return f"no strays, {self._others.get_description()}"


class _Discreet(SpanExporter):
    """Lets out of a span what `_ATTRIBUTES` names."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send spans."""
        return self._exporter.export([_discreet(span) for span in spans])

    def shutdown(self) -> None:
        """Send no more."""
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Send what is kept."""
        return self._exporter.force_flush(timeout_millis)


def _discreet(span: ReadableSpan) -> ReadableSpan:
    allowed = _ATTRIBUTES | _ADDRESSES if span.kind is SpanKind.CLIENT else _ATTRIBUTES
    told = span.attributes or {}
    return ReadableSpan(
        name=span.name,
        context=span.context,
        parent=span.parent,
        resource=span.resource,
        attributes={name: value for name, value in told.items() if name in allowed or name.startswith(_OURS)},
        links=span.links,
        kind=span.kind,
        status=Status(span.status.status_code),
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=span.instrumentation_scope,
    )


def _address(url: URL) -> str:
    kind = kind_of(url.raw_path)
    return f"{url.origin()}/{'' if kind == 'other' else kind}"
