"""Server-rendered pages for people. Empty until its issue is taken."""
