"""A configured Salesforce connection becomes a live client."""
