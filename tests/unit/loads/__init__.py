"""The loads room, module by module."""
