"""Properties: hypothesis against oracles and simulations."""
