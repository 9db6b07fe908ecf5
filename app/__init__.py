"""Fleetbeat: everything that is not GraphQL and not a job."""

__version__ = "0.1.0"
