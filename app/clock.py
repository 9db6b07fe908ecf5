"""Time as an argument: UTC, whole milliseconds, the same in every process."""

import time
from datetime import UTC, datetime, timedelta
from typing import Protocol

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Clock(Protocol):
    """What time it is. Nothing below the composition root asks the host."""

    def now(self) -> datetime:
        """UTC, cut to milliseconds, as MongoDB keeps it."""
        ...


def cut_to_milliseconds(at: datetime) -> datetime:
    return at.replace(microsecond=at.microsecond // 1000 * 1000)


class DatabaseClock:
    """A monotonic clock with an offset from MongoDB's `localTime`, so that a host with a wrong clock judges nobody.

    Starts on the host's own time and is set by `correct`.
    """

    def __init__(self) -> None:
        self._zero_us = _microseconds(datetime.now(UTC)) - time.monotonic_ns() // 1000
        self._last = (0, _EPOCH)

    def now(self) -> datetime:
        milliseconds = (self._zero_us + time.monotonic_ns() // 1000) // 1000
        last, at = self._last
        if milliseconds != last:
            at = _EPOCH + timedelta(milliseconds=milliseconds)
            self._last = milliseconds, at
        return at

    def correct(self, database_time: datetime, asked: float, answered: float) -> None:
        """Takes the database's time as that of the middle between `asked` and `answered` (`time.monotonic()`)."""
        self._zero_us = _microseconds(database_time) - round((asked + answered) / 2 * 1_000_000)


def _microseconds(at: datetime) -> int:
    return (at - _EPOCH) // timedelta(microseconds=1)


class ManualClock:
    """A clock that moves only when told to."""

    def __init__(self, start: datetime) -> None:
        self._now = cut_to_milliseconds(start)

    def now(self) -> datetime:
        return self._now

    def advance(self, seconds: float) -> datetime:
        self._now = cut_to_milliseconds(self._now + timedelta(seconds=seconds))
        return self._now
