"""What a role may do with which objects, rows and fields, and how that is enforced on every way in."""
