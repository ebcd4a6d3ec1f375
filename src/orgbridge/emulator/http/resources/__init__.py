"""What lies under /services/data, one module per family of resources."""
