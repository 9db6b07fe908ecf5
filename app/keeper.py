"""Keeps one child process running: starts it again after it died, later each time it dies at once."""

import time
from collections.abc import Callable

from app.child import Child

_FIRST_PAUSE_SEC = 1.0
_LONGEST_PAUSE_SEC = 10.0
_WELL_AFTER_SEC = 30.0


class Keeper:
    """A part of the installation, and the process that plays it."""

    def __init__(self, name: str, role: str, start: Callable[[], Child], patience: float) -> None:
        self.name = name
        self.role = role
        self._start = start
        self._patience = patience
        self._child: Child | None = None
        self._started_at = 0.0
        self._pause = _FIRST_PAUSE_SEC
        self._again_at: float | None = None

    @property
    def pid(self) -> int | None:
        return None if self._child is None else self._child.pid

    @property
    def child(self) -> Child | None:
        return self._child

    def start(self) -> None:
        self._child = self._start()
        self._started_at = time.monotonic()
        self._again_at = None

    def look_after(self) -> str | None:
        """Restarts what has died, once its pause is over. A line to show where something happened."""
        now = time.monotonic()
        if self._again_at is not None:
            return self._start_again() if now >= self._again_at else None
        if self._child is None or self._child.exit_code is None:
            return None
        return self._died(f"ended by itself ({_ending(self._child.exit_code)})", now)

    def ask_to_stop(self) -> None:
        if self._child is not None:
            self._child.ask_to_stop()

    def stop(self) -> None:
        if self._child is not None:
            self._child.stop(self._patience)

    def kill(self) -> None:
        if self._child is not None:
            self._child.kill()

    def _died(self, how: str, now: float) -> str:
        if now - self._started_at > _WELL_AFTER_SEC:
            self._pause = _FIRST_PAUSE_SEC
        pause, self._pause = self._pause, min(self._pause * 2, _LONGEST_PAUSE_SEC)
        self._again_at = now + pause
        return f"{self.name} {how}; it starts again in {pause:g} s"

    def _start_again(self) -> str:
        try:
            self.start()
        # Whatever hindered the start may pass, and the others run on meanwhile.
        except Exception as error:  # noqa: BLE001
            return self._died(f"could not be started ({error})", time.monotonic())
        return f"{self.name} runs again (process {self.pid})"


def _ending(exit_code: int) -> str:
    return f"signal {-exit_code}" if exit_code < 0 else f"exit code {exit_code}"
