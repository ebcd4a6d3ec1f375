"""Facts that both ends of Salesforce's wire agree on: ids, types, codes, limits, dates, versions."""
