"""Bad fields, gathered so that the caller hears of all of them at once."""

import math
from functools import cache
from urllib.parse import urlsplit
from zoneinfo import available_timezones

from app.errors import BadInputError, FieldError

WEEK = 7 * 86_400
_LONGEST_URL = 2_048


class Faults:
    """Every check adds what is wrong under the path that the field has on the wire; `refuse` raises it all."""

    def __init__(self) -> None:
        self._fields: list[FieldError] = []

    def add(self, path: str, message: str) -> None:
        self._fields.append(FieldError(path, message))

    def require(self, holds: bool, path: str, message: str) -> None:
        if not holds:
            self.add(path, message)

    @property
    def found(self) -> list[FieldError]:
        return list(self._fields)

    def refuse(self) -> None:
        """Raises BadInputError where anything was added."""
        if self._fields:
            raise BadInputError(self._fields)

    def title(self, path: str, value: str, longest: int) -> None:
        """One printable line with something in it."""
        fits = 0 < len(value) <= longest and value.isprintable() and value.strip() == value
        self.require(fits, path, f"should be 1 to {longest} printable characters without blanks at the ends")

    def prose(self, path: str, value: str, longest: int) -> None:
        """Printable text that may have lines."""
        fits = len(value) <= longest and all(char.isprintable() or char in "\n\r\t" for char in value)
        self.require(fits, path, f"should be at most {longest} printable characters")

    def between(self, path: str, value: float, low: float, high: float) -> None:
        self.require(low <= value <= high, path, f"should be {low:.12g} to {high:.12g}, not {value}")

    def finite(self, path: str, value: float) -> None:
        self.require(math.isfinite(value), path, "should be a finite number")

    def zone(self, path: str, value: str) -> None:
        self.require(value in _zones(), path, 'should be an IANA time zone such as "Europe/Berlin"')

    def web_address(self, path: str, value: str) -> None:
        self.require(_is_web_address(value), path, "should be an http or https URL")


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


def _is_web_address(text: str) -> bool:
    if len(text) > _LONGEST_URL or not text.isprintable() or " " in text:
        return False
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        return False
