"""Ways to get a session: the OAuth token endpoint, SOAP login, and who a session belongs to."""
