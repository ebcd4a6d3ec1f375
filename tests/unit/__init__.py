"""Tests of single rooms, without I/O beyond loopback."""
