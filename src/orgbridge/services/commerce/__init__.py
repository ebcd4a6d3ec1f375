"""What is bought and serviced: accounts, machines, parts. Each module is one use-case."""
