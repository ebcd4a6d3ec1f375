"""Tests of the emulated org's commerce."""
