"""Work that should be done soon, handed to a queue where the process has one. What is lost on the way, a tick finds."""

from collections.abc import Awaitable, Callable
from typing import Any

Put = Callable[..., Awaitable[bool]]
"""(function, job id, arguments…): whether the job is queued."""


class Errands:
    """Nobody runs them until `serve_by` says who does."""

    def __init__(self) -> None:
        self._put: Put | None = None

    def serve_by(self, put: Put | None) -> None:
        self._put = put

    async def run(self, function: str, job_id: str, *arguments: Any) -> bool:
        return self._put is not None and await self._put(function, job_id, *arguments)
