"""Traces, when a collector is named: only then is anything of OpenTelemetry loaded."""

from __future__ import annotations

from typing import Any, Protocol

from orgbridge.kit import traces
from orgbridge.store.database import Database
from orgbridge.wiring.errors import SettingFault, SettingsError
from orgbridge.wiring.settings import Settings


class Tracing(traces.Tracer, Protocol):
    """Spans that go to a collector."""

    def observe_app(self, app: Any) -> None:
        """Make a span of every request to an application of FastAPI."""

    def observe_database(self, database: Database) -> None:
        """Make a span of every statement that is part of a trace."""

    async def close(self) -> None:
        """Send what is kept, for some seconds at most, and keep no more."""


def start_traces(settings: Settings, role: str) -> Tracing | None:
    """Keep spans from now on, if the settings name a collector.

    Args:
        settings: All settings.
        role: `service`, `worker`, or `up` for both: part of the service's name, unless OTEL_SERVICE_NAME gives one.

    Raises:
        SettingsError: A collector is named and the extra `traces` is not installed.
    """
    if settings.traces_url is None:
        return None
    try:
        # Half a second of imports that nobody else is to pay.
        from orgbridge.wiring.otel import OpenTelemetry
    except ImportError as error:
        reason = f"OpenTelemetry is not installed ({error.name}); install orgbridge[traces], or leave it empty"
        raise SettingsError([SettingFault(name="ORGBRIDGE_TRACES_ENDPOINT", reason=reason)]) from error
    tracing = OpenTelemetry(settings.traces_url, role=role, version=settings.app_version)
    traces.install(tracing)
    return tracing
