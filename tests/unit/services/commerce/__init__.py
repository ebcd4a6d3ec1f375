"""Use-cases of commerce."""
