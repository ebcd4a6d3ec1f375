"""The engine without a worker."""
