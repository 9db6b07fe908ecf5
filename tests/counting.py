"""Counting what is asked of MongoDB."""

from collections.abc import Iterator
from contextlib import contextmanager

from pymongo import monitoring

_ASIDE = {"hello", "ping", "endSessions", "killCursors"}


class _Log(monitoring.CommandListener):
    """Hears every client that is opened after this module was imported."""

    def __init__(self) -> None:
        self.recordings: list[tuple[str, list[str]]] = []

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        for database, commands in self.recordings:
            if event.database_name == database and event.command_name not in _ASIDE:
                commands.append(event.command_name)

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        pass

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        pass


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
