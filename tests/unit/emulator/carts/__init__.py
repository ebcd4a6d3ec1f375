"""Carts, checkouts and orders of the emulated org."""
