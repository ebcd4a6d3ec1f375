"""A battery of requests and expected replies, as data, and what runs it against any org."""
