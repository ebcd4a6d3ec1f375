"""Real container engines for tests: found on the machine, or started in namespaces of our own."""
