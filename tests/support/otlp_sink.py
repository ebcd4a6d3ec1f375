"""A receiver of OTLP over HTTP: takes what a real exporter sends and keeps its spans."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenSpan:
    """One span as it came in."""

    #: Name of the service that made it.
    service: str
    #: Its name.
    name: str
    #: In hexadecimal.
    trace_id: str
    #: In hexadecimal.
    span_id: str
    #: In hexadecimal, empty for the first of a trace.
    parent_id: str
    #: As text.
    attributes: dict[str, str]


@dataclass(slots=True)
class OTLPSink:
    """What came in so far."""

    #: Everything as bytes, to look for what must not be there.
    bodies: list[bytes] = field(default_factory=list)
    #: Where it listens.
    url: str = ""

    @property
    def spans(self) -> list[SeenSpan]:
        """All spans so far."""
        return [span for body in list(self.bodies) for span in _spans(body)]


@contextmanager
def otlp_sink() -> Iterator[OTLPSink]:
    """Receive until the block ends."""
    sink = OTLPSink()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            """Say nothing."""

        def do_POST(self) -> None:
            """Take one sending."""
            raw = self.rfile.read(int(self.headers["Content-Length"]))
            sink.bodies.append(gzip.decompress(raw) if self.headers.get("Content-Encoding") == "gzip" else raw)
            self.send_response(200 if self.path == "/v1/traces" else 404)
            self.send_header("Content-Type", "application/x-protobuf")
            self.end_headers()
            self.wfile.write(ExportTraceServiceResponse().SerializeToString())

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    sink.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield sink
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _spans(body: bytes) -> Iterator[SeenSpan]:
    for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
        service = {one.key: one.value.string_value for one in resource.resource.attributes}.get("service.name", "")
        for scope in resource.scope_spans:
            for span in scope.spans:
                yield SeenSpan(
                    service=service,
                    name=span.name,
                    trace_id=span.trace_id.hex(),
                    span_id=span.span_id.hex(),
                    parent_id=span.parent_span_id.hex(),
                    attributes={one.key: one.value.string_value or str(one.value.int_value) for one in span.attributes},
                )
