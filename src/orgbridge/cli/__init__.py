"""Typer commands for people."""
