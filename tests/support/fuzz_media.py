"""Media types of this API that Schemathesis does not know by itself; `schemathesis.toml` names this module."""

from __future__ import annotations

import schemathesis

schemathesis.serializer.alias("application/x-ndjson", "text/plain")
