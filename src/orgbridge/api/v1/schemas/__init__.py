"""Shapes of requests and replies, with examples for the API documents."""
