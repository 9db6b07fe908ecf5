"""Brings what goes wrong in a log file to the terminal, in short."""

import json
from pathlib import Path

_LOUD = frozenset({"error", "critical"})
_AT_ONCE = 3


class LogWatch:
    """Reads what was added to a log since it last looked."""

    def __init__(self, name: str, path: Path) -> None:
        self._name = name
        self._path = path
        self._offset = path.stat().st_size if path.exists() else 0
        self._said: set[str] = set()

    def problems(self) -> list[str]:
        """Each new kind of error once, at most a few at a time."""
        found: list[str] = []
        for line in self._new_lines():
            event = _problem(line)
            if event is not None and event not in self._said and len(found) < _AT_ONCE:
                self._said.add(event)
                found.append(f"{self._name}: {event}")
        return found

    def _new_lines(self) -> list[str]:
        try:
            with self._path.open("rb") as log:
                log.seek(self._offset)
                added = log.read()
        except FileNotFoundError:
            return []
        whole = added[: added.rfind(b"\n") + 1]
        self._offset += len(whole)
        return whole.decode(errors="replace").splitlines()


def _problem(line: str) -> str | None:
    try:
        entry = json.loads(line)
    except ValueError:
        # No log line of ours: a traceback of an interpreter that is on its way out ends with the error's name.
        return line if line.partition(":")[0].endswith("Error") and not line.startswith(" ") else None
    if not isinstance(entry, dict) or entry.get("level") not in _LOUD:
        return None
    detail = str(entry.get("exception", "")).strip().rpartition("\n")[2]
    return f"{entry.get('event')}{' · ' + detail if detail else ''}"
