"""What several tests stand on: real processes, rerouting, fakes with docstrings."""
