"""Durable execution. DBOS lives here and nowhere else."""
