"""The rules of B2B Commerce: which buyer may see and pay what, as views over ordinary rows."""
