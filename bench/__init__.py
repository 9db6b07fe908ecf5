"""Benches: the figures of the README come from here."""
