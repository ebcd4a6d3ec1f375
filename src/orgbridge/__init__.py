"""Orgbridge: the Salesforce Integration API. Never lose, never guess, never hide."""

__version__ = "0.1.0"
