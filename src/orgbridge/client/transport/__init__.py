"""One HTTP exchange: token, replay, retry, timeouts, limits, counting. Knows no resource of Salesforce."""
