"""Server-rendered pages for people, over the same services as the API. Nothing here knows the API."""
