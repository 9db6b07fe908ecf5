"""What all tests through the API share."""

from tests.api.serving import serve

__all__ = ["serve"]
