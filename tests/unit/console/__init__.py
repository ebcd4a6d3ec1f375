"""The console, page by page, as far as it is pure."""
