"""One module per table: rows in, records out. Nothing here commits."""
