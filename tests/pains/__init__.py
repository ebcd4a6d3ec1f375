"""The complaints that users of other tools make, each where it would bite."""
