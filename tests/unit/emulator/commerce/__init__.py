"""Tests of the emulated commerce."""
