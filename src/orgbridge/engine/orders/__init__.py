"""From a cart to its order, once, whatever dies on the way."""
