"""Where a worker shows its figures and where traces are sent."""

from __future__ import annotations

from pydantic import Field

from orgbridge.wiring.settings.topic import Topic

_COLLECTOR = r"^https?://[^\s/@]+(/\S*)?$"
_PATH = "/v1/traces"


class ObservabilitySettings(Topic):
    """Where a worker shows its figures and where traces are sent."""

    orgbridge_worker_metrics_port: int | None = Field(
        None,
        ge=0,
        le=65_535,
        description="the port at which a worker shows its own figures, without a sign-in; empty shows none",
        examples=["9464"],
    )
    orgbridge_worker_metrics_host: str = Field(
        "127.0.0.1", description="the address of that port", examples=["0.0.0.0"]
    )
    orgbridge_traces_endpoint: str | None = Field(
        None,
        pattern=_COLLECTOR,
        description="the OTLP/HTTP collector that traces are sent to, as OTEL_EXPORTER_OTLP_ENDPOINT and before it; "
        "needs the extra `traces`; empty sends none",
        examples=["http://otel-collector:4318"],
    )
    otel_exporter_otlp_endpoint: str | None = Field(
        None,
        pattern=_COLLECTOR,
        description="OpenTelemetry's name for the collector; its other OTEL_* names work too",
        examples=["http://otel-collector:4318"],
    )
    otel_exporter_otlp_traces_endpoint: str | None = Field(
        None,
        pattern=_COLLECTOR,
        description="the same for traces alone, with the path: /v1/traces is not appended",
        examples=["http://otel-collector:4318/v1/traces"],
    )

    @property
    def traces_url(self) -> str | None:
        """Where spans are sent, None for nowhere."""
        if self.orgbridge_traces_endpoint is None and self.otel_exporter_otlp_traces_endpoint is not None:
            return self.otel_exporter_otlp_traces_endpoint
        root = self.orgbridge_traces_endpoint or self.otel_exporter_otlp_endpoint
        if root is None:
            return None
        return root if root.endswith(_PATH) else f"{root.rstrip('/')}{_PATH}"
