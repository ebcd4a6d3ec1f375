"""What the container files make, built and run for real."""
