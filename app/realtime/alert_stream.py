"""Every transition of an alert that a caller may see, in order, each once, from any place of the record on."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import datetime

import structlog

from app.domain.alert import AlertEvent, AlertEventType
from app.domain.alert_filter import AlertFilter, require_good_filter
from app.domain.cursor import read_cursor
from app.principal import Principal, read_scope
from app.realtime.audience import ALONE, Post
from app.realtime.hub import Hub
from app.realtime.interests import BOOKMARK_AFTER_EVENTS, Interest
from app.realtime.log_reader import LogReader
from app.realtime.ring import Entry
from app.realtime.wakes import nap
from app.store.mongo import is_away

BOOKMARK_AFTER_SEC = 60.0
_AGAIN_AFTER_SEC = 0.5
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class StreamItem:
    """One thing that a subscriber is told. RESYNC and BOOKMARK have no event; every item has the cursor behind it."""

    type: AlertEventType
    event: AlertEvent | None
    cursor: str
    at: datetime


async def alert_events(
    hub: Hub, principal: Principal, chosen: AlertFilter, after: str | None, post: Post = ALONE
) -> AsyncGenerator[StreamItem, None]:
    """Goes on until the hub stops, or `post` ends it. Raises BadInputError for a bad filter, and for an `after` that is no cursor."""
    scope = read_scope(principal, chosen.tenant_id)
    require_good_filter(chosen)
    cursor = None if after is None else read_cursor(after)
    with hub.subscribed(post.subscribers), hub.follower.interests.of(scope, chosen) as interest:
        stream = _Stream(hub, interest, post)
        if not await stream.reader.begin(cursor):
            yield stream.resync()
        while not hub.is_stopping():
            interest.news.clear()
            page = await stream.next_page()
            for entry in page:
                if (item := stream.take(entry)) is not None:
                    yield item
                    if hub.is_stopping():
                        return
            if page:
                await asyncio.sleep(0)
                continue
            if stream.is_bookmark_due():
                yield stream.bookmark()
            elif not stream.reader.has_all:
                await asyncio.sleep(0)
            elif stream.reader.is_at_head and post.at_head(stream.reader.positions, interest.news):
                return
            else:
                await stream.rest()
                post.leaving_head()


class _Stream:
    """What one subscriber was told, and what was passed over since."""

    def __init__(self, hub: Hub, interest: Interest, post: Post) -> None:
        self._hub = hub
        self._post = post
        self._interest = interest
        self.reader = LogReader(hub.follower, interest.lanes)
        self._passed_over = 0
        self._told_at = hub.clock.now()

    async def rest(self) -> None:
        """Until something concerns it; what passes by meanwhile is counted, not looked at."""
        due_at = self._told_at.timestamp() + BOOKMARK_AFTER_SEC
        self._passed_over += self.reader.skip_to(await self._interest.rest(self.reader.positions, self._passed_over, due_at))

    async def next_page(self) -> list[Entry]:
        while True:
            try:
                return await self.reader.read()
            except Exception as error:
                if self._hub.is_stopping() or not is_away(error):
                    raise
                _log.warning("alert_stream.database_away", error=type(error).__name__)
                await nap(self._hub.ending, _AGAIN_AFTER_SEC)

    def take(self, entry: Entry) -> StreamItem | None:
        """Moves behind an entry, and says what there is to tell of it."""
        self.reader.had(entry)
        event = entry.event
        if event is None:
            return self.resync()
        if self._interest.concerns(event):
            return self._item(event.type, event)
        self._passed_over += 1
        return self.bookmark() if self._passed_over >= BOOKMARK_AFTER_EVENTS else None

    def resync(self) -> StreamItem:
        self._hub.resyncs += 1
        return self._item(AlertEventType.RESYNC, None)

    def bookmark(self) -> StreamItem:
        return self._item(AlertEventType.BOOKMARK, None)

    def is_bookmark_due(self) -> bool:
        """To somebody who was told nothing for long while the log went on."""
        if not self._passed_over:
            return False
        told_sec_ago = (self._hub.clock.now() - self._told_at).total_seconds()
        return self._passed_over >= BOOKMARK_AFTER_EVENTS or told_sec_ago >= BOOKMARK_AFTER_SEC

    def _item(self, kind: AlertEventType, event: AlertEvent | None) -> StreamItem:
        now = self._hub.clock.now()
        self._passed_over = 0
        self._told_at = now
        self._post.telling(self.reader.positions)
        return StreamItem(kind, event, self._hub.cursor_at(self.reader.positions), now if event is None else event.at)
