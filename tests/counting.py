"""Hearing what is asked of MongoDB."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from pymongo import monitoring

_ASIDE = {"hello", "ping", "endSessions", "killCursors"}


class _Log(monitoring.CommandListener):
    """Hears every client that is opened after this module was imported."""

    def __init__(self) -> None:
        self.recordings: list[tuple[str, list[str]]] = []
        self.told_of_failures: list[Callable[[monitoring.CommandFailedEvent], None]] = []

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        for database, commands in self.recordings:
            if event.database_name == database and event.command_name not in _ASIDE:
                commands.append(event.command_name)

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        pass

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        for tell in self.told_of_failures:
            tell(event)


_log = _Log()
monitoring.register(_log)


@contextmanager
def counted(database: str) -> Iterator[list[str]]:
    """The names of the commands to a database while it is open, in order."""
    recording = (database, list[str]())
    _log.recordings.append(recording)
    try:
        yield recording[1]
    finally:
        _log.recordings.remove(recording)


@contextmanager
def failures(tell: Callable[[monitoring.CommandFailedEvent], None]) -> Iterator[None]:
    """Tells of every command that fails while it is open, from whatever thread."""
    _log.told_of_failures.append(tell)
    try:
        yield
    finally:
        _log.told_of_failures.remove(tell)
