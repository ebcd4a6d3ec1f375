"""The real commands, started as processes."""
