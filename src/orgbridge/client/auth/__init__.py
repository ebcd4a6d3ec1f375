"""Signing in: credentials, what a refusal means, and the one token that all calls share."""
