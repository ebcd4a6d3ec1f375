"""Tests of rooms together."""
