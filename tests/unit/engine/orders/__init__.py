"""Placements: the machine, the price books."""
