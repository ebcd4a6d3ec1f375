"""The Connect API of Salesforce B2B Commerce: webstores as one buyer sees them. `stores.Commerce` is where to begin."""
