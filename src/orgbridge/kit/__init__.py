"""Nothing about Salesforce: clock, errors, logs, JSON, identifiers."""
