"""Telling the couriers that something may be due: the one in this process, or through the queue one elsewhere. What is lost on the way,
they find by looking."""

from collections.abc import Awaitable, Callable

Put = Callable[..., Awaitable[bool]]
"""(function, job id, arguments…): whether the job is queued."""


class Errands:
    """Nobody runs them until somebody says that they do."""

    def __init__(self) -> None:
        self._put: Put | None = None
        self._wake: Callable[[], None] | None = None

    def serve_by(self, put: Put) -> None:
        self._put = put

    def serve_here(self, wake: Callable[[], None] | None) -> None:
        """A courier is in this process; None when it leaves."""
        self._wake = wake

    def wake(self) -> bool:
        """False where no courier is here."""
        if self._wake is None:
            return False
        self._wake()
        return True

    async def deliver(self, job_id: str, lane: int) -> None:
        if not self.wake() and self._put is not None:
            await self._put("deliver", job_id, lane)
