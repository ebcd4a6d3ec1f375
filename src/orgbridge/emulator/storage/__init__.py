"""The org's rows on SQLite: connections, tables made from the catalogue, counters, sessions."""
