"""With real databases and real processes."""
