"""Connect resources of B2B Commerce: one module per family, each a view over rows and the rules of `commerce`."""
