"""Jobs of Bulk API 1.0: batches, added one by one and processed as they come, durably, in whole transactions."""
