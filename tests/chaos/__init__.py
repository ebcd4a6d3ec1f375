"""Processes that die at random moments."""
