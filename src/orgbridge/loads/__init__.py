"""The bulk-load model, pure: split, plan, state machine, matching of results, receipts."""
