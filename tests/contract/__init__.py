"""Unchanged third-party clients against a real emulator process."""
