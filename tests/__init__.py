"""Tests; what each kind proves stands in its folder."""
