"""The intake of operational events: events and their counts, in one transaction for all that arrive together."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

import structlog

from app.clock import Clock
from app.domain.operational_event import CountKey, OperationalEvent, additions
from app.errors import UnavailableError
from app.realtime.group_commit import GroupCommit
from app.store.mongo import Mongo, Session, is_duplicate
from app.store.stores import Stores

BATCH = 1_000
"""Most events in one transaction."""

CAPACITY = 20_000
"""Events that may wait; one more is refused with UNAVAILABLE."""

TRIES = 10
TARDY = timedelta(seconds=2)
"""A commit that took longer is told once more: who reads what changed looks back for a few seconds only."""

_log = structlog.get_logger(__name__)


class EventIntake:
    """One writer a process, since all events of a tenant meet in the tenant's own counts."""

    def __init__(self, mongo: Mongo, store: Stores, clock: Clock) -> None:
        self._mongo = mongo
        self._store = store
        self._clock = clock
        self._group = GroupCommit(self._write, BATCH, CAPACITY)

    async def take(self, events: Sequence[OperationalEvent]) -> None:
        """Keeps and counts what is not there yet, by its id; what is there is a success.

        Raises UnavailableError when too many events wait, and the database's own error when it does not answer; then
        nothing was acknowledged.
        """
        await self._group.take(events)

    async def drain(self) -> None:
        """Waits until everything that was taken is stored or refused."""
        await self._group.drain()

    async def _write(self, events: Sequence[OperationalEvent]) -> None:
        first = {event.id: event for event in reversed(events)}
        for _ in range(TRIES):
            try:
                keys, changed_at = await self._mongo.transaction(lambda session: self._add(first, session))
            except Exception as error:
                if not is_duplicate(error):
                    raise
                # Another process has kept one of them, or made a bucket, after this transaction began. Now it can be seen.
                _log.info("events.repeated", events=len(first))
                continue
            now = self._clock.now()
            if keys and now - changed_at > TARDY:
                await self._store.event_counts.touch(keys, now)
            return
        raise UnavailableError("others write the same counts all the time; nothing was acknowledged", retry_after_sec=1)

    async def _add(self, events: dict[str, OperationalEvent], session: Session) -> tuple[Collection[CountKey], datetime]:
        """The buckets that changed, and when: the clock is read in the attempt that is committed."""
        kept = await self._store.operational_events.kept(list(events), session)
        new = [event for event in events.values() if event.id not in kept]
        added = additions(new)
        now = self._clock.now()
        await self._store.event_counts.add(added, now, session)
        await self._store.operational_events.insert(new, session)
        return added.keys(), now
