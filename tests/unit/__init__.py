"""Tests of one room each, without I/O beyond a temporary folder."""
