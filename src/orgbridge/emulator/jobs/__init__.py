"""Durable Bulk API 2.0 jobs: ingest and query, on the emulator's storage. Knows nothing of HTTP."""
