"""Writes the reference of metrics. Run it as `python -m tests.support.metrics_reference`."""

from __future__ import annotations

from pathlib import Path

from orgbridge.engine import patience, steps
from orgbridge.kit.metrics import CATALOGUE, Kind, Metric, Source
from orgbridge.wiring import service, worker

ROOT = Path(__file__).resolve().parents[2]
REFERENCE = ROOT / "docs" / "reference" / "metrics.md"
#: Every module that declares a metric is imported by one of these.
_DECLARING = (patience, service, steps, worker)
_HEAD = """# Metrics

What `GET /metrics` tells as Prometheus text, and a worker at `ORGBRIDGE_WORKER_METRICS_PORT`. docs/observability.md
says how to scrape, and which alerts and dashboard come with it.

**process**: each process counts what it does itself, from its start; the processes of one `serve --workers N` are added
up, and a worker tells its own. **store**: read from the database at the scrape, the same at every service and told by
no worker: take the maximum over instances, never the sum. Figures of loads go down when retention deletes loads.

Labels have values from closed sets. There is never a name, an id or a value of a record in one.
"""


def reference() -> str:
    """Return the text of the reference."""
    lines = [_HEAD, "| metric | type | labels | told by | meaning |", "|---|---|---|---|---|"]
    for metric in sorted(CATALOGUE.values(), key=lambda metric: metric.name):
        labels = ", ".join(f"`{name}`" for name in metric.labels) or "-"
        lines.append(f"| `{metric.name}` | {metric.kind.value} | {labels} | {metric.source.value} | {metric.about} |")
    return "\n".join(lines) + "\n"


def series(metric: Metric) -> set[str]:
    """Return the names under which a metric can be asked for."""
    if metric.kind is Kind.HISTOGRAM:
        return {f"{metric.name}_{part}" for part in ("bucket", "count", "sum")}
    return {metric.name}


def of_services() -> list[Metric]:
    """Return the metrics that a service tells when nothing has happened yet."""
    return [metric for metric in CATALOGUE.values() if metric.source is Source.STORE or not metric.labels]


if __name__ == "__main__":
    REFERENCE.write_text(reference())
