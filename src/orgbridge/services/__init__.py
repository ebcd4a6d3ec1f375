"""Use-cases, one module per resource; rights are checked here."""
