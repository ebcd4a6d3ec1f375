"""The emulator's own controls under /_emulator, which no Salesforce org has: for tests and those who watch them."""
