"""The battery of exchanges, run against the emulated org."""
