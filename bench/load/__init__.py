"""Load from processes of their own, as cheap as Python can make it, so that it is the servers that are measured."""
