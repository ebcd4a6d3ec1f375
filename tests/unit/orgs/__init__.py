"""Tests of configured orgs."""
