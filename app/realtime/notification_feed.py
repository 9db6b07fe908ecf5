"""Who has been told something new inside Fleetbeat: read from the collection once a process, for all who listen."""

import asyncio
from collections.abc import Iterable, Mapping
from datetime import datetime

import structlog

from app.realtime.wakes import Wakes, nap
from app.store.mongo import is_away
from app.store.notifications import LOOK_BACK, Mark, NotificationStore

LOOK_EVERY_SEC = 1.0
"""How late news may be when no bell rings."""

_GATHER_SEC = 0.05
_log = structlog.get_logger(__name__)


class NotificationFeed:
    """Knows what was written last, for whom. A bell makes it look at once; it looks each second anyway."""

    def __init__(self, store: NotificationStore) -> None:
        self.store = store
        self.wakes: Wakes[str] = Wakes()
        self.ready = asyncio.Event()
        self.head: datetime | None = None
        """When the last one was written."""
        self._marks: dict[str, Mark] = {}
        self._news = asyncio.Event()

    def hear(self, user_ids: Iterable[str]) -> None:
        """The bell: these people were told something."""
        if any(self.wakes.has_sleepers(user_id) for user_id in user_ids):
            self._news.set()

    def look(self) -> None:
        """Bells may have been lost."""
        self._news.set()

    def recent(self, user_id: str) -> Mapping[str, datetime]:
        """What is known of a person's from shortly before the head on, by id, with its time."""
        return {mark.id: mark.written_at for mark in self._marks.values() if mark.user_id == user_id}

    async def run(self) -> None:
        """Until cancelled. While the database is away it goes on trying."""
        while True:
            self._news.clear()
            try:
                await self._round()
            except Exception as error:
                if not is_away(error):
                    raise
                _log.warning("notification_feed.database_away", error=type(error).__name__)
                await asyncio.sleep(LOOK_EVERY_SEC)
            # What is told together is read together.
            await asyncio.sleep(_GATHER_SEC)
            await nap(self._news, LOOK_EVERY_SEC)

    async def _round(self) -> None:
        if not self.ready.is_set():
            self.head = await self.store.head()
        found = await self.store.marks(None if self.head is None else self.head - LOOK_BACK)
        fresh = {mark.user_id for mark in found if mark.id not in self._marks}
        if found:
            self.head = found[-1].written_at
        # What a restore took back is not what is known any more.
        self._marks = {mark.id: mark for mark in found}
        self.ready.set()
        for user_id in fresh:
            self.wakes.wake(user_id)
