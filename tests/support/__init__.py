"""Real parts and doubles that tests share."""
