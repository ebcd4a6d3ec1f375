"""The only place that knows everything: settings, and the objects built from them."""
