"""Typer commands for people."""

from orgbridge.wiring.signals import end_when_told

# Here and not in `main`: what the commands import takes a second, in which a container may already be told to stop.
end_when_told()
