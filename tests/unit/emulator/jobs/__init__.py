"""Bulk jobs without HTTP."""
