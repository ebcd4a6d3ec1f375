"""Without I/O, mirrors src."""
