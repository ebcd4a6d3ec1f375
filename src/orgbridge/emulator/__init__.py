"""A local Salesforce org, usable on its own: wire protocol, rules of an org, SOQL on SQL, bulk jobs."""
