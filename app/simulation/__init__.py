"""A fleet that does not exist, beating through the public API."""
