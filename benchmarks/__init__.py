"""Measurements. Each module with a `figures` function is one; `python -m benchmarks` runs them all."""
