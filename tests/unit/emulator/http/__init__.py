"""The wire protocol, in process."""
