"""What `fleetbeat up` keeps: the databases, logs, its own secret, a lock, and `run.json` while it runs."""

import fcntl
import json
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_LOG_LIMIT = 20 * 1024 * 1024


class DataInUseError(Exception):
    """Another Fleetbeat runs on the same data."""


class DataFolder:
    """The folder behind `--data`."""

    def __init__(self, path: Path) -> None:
        self.path = path.resolve()

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Holds the folder for this process; the kernel lets go of it however the process ends."""
        self.path.mkdir(parents=True, exist_ok=True)
        with (self.path / "lock").open("a+", encoding="utf-8") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                lock.seek(0)
                holder = lock.read().strip() or "unknown"
                raise DataInUseError(
                    f"a Fleetbeat already runs on {self.path} (process {holder}): stop it, or choose another folder with --data"
                ) from None
            lock.truncate(0)
            lock.write(f"{os.getpid()}\n")
            lock.flush()
            yield

    def log(self, name: str) -> Path:
        """The file that a part logs to. What has grown large is put aside first."""
        path = self.path / "log" / f"{name}.log"
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists() and path.stat().st_size > _LOG_LIMIT:
            path.replace(path.with_suffix(".log.1"))
        return path

    def secret(self) -> str:
        """What signs this folder's tokens; made at the first start, and kept."""
        known = self.known_secret()
        if known is not None:
            return known
        made = secrets.token_urlsafe(48)
        self._write_private("secret", made)
        return made

    def known_secret(self) -> str | None:
        try:
            return (self.path / "secret").read_text(encoding="utf-8").strip() or None
        except FileNotFoundError:
            return None

    def write_run(self, run: Mapping[str, Any]) -> None:
        self._write_private("run.json", json.dumps(run, indent=2) + "\n")

    def read_run(self) -> dict[str, Any] | None:
        """What a running instance says of itself; None where none runs."""
        try:
            run: dict[str, Any] = json.loads((self.path / "run.json").read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return None
        return run

    def remove_run(self) -> None:
        (self.path / "run.json").unlink(missing_ok=True)

    def _write_private(self, name: str, text: str) -> None:
        # Moved into place, so that a reader finds all of it or nothing.
        draft = self.path / f".{name}.{os.getpid()}"
        draft.unlink(missing_ok=True)
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write(text)
        draft.replace(self.path / name)
