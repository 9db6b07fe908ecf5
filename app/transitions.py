"""Every change of an alert is written here: one transaction of its lane, then the bell, then the log."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from weakref import WeakKeyDictionary

import structlog

from app.context import Context
from app.domain.alert import AlertEvent, AlertEventType, Change, device_of
from app.domain.delivery import Delivery
from app.domain.ids import LANES
from app.domain.record import record_of
from app.domain.rule import RuleState
from app.outbox import tell_of
from app.store.connectivity import Settlement
from app.store.mongo import Session
from app.unheard import tell_of_unheard

_TELLING = (AlertEventType.NOTIFIED, AlertEventType.DELIVERY_DEAD)
"""They move no alert, and deliveries have log lines of their own."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Writes:
    """What a decision wants written together: changes of alerts, what rules remember, where devices stand,
    what became of deliveries (`outcomes`), and which others come of that (`deliveries`)."""

    changes: list[Change] = field(default_factory=list)
    states: list[RuleState] = field(default_factory=list)
    settlements: list[Settlement] = field(default_factory=list)
    outcomes: list[Delivery] = field(default_factory=list)
    deliveries: list[Delivery] = field(default_factory=list)

    def is_empty(self) -> bool:
        return not (self.changes or self.states or self.settlements or self.outcomes or self.deliveries)


Decide = Callable[[Session], Coroutine[Any, Any, Writes]]

_locks: "WeakKeyDictionary[asyncio.AbstractEventLoop, list[asyncio.Lock]]" = WeakKeyDictionary()


async def transact(context: Context, lane: int, decide: Decide) -> list[AlertEvent]:
    """Writes what `decide` returns, and gives back the record of it.

    The lane's counter is taken first, so what `decide` reads with the session cannot change under it: any other writer of
    the lane waits or starts over. On a conflict `decide` runs again from its start, so it must not act on the outside.
    """
    written: list[Writes] = []
    outbox: list[Delivery] = []

    async def work(session: Session) -> list[AlertEvent]:
        seq = await context.store.events.fence(lane, session)
        writes = await decide(session)
        written[:], outbox[:] = [writes], []
        if writes.is_empty():
            return []
        await context.store.alerts.write(writes.changes, session)
        await context.store.rule_states.write(writes.states, session)
        await context.store.connectivity.settle(writes.settlements, context.clock.now(), session)
        keep = timedelta(days=context.settings.event_retention_days)
        events, tellings = await tell_of(context, record_of(lane, seq, writes.changes), session)
        await context.store.events.append(lane, events, keep=keep, session=session)
        await context.store.deliveries.insert([*tellings, *writes.deliveries], session)
        await context.store.deliveries.write(writes.outcomes, session)
        outbox[:] = [*tellings, *writes.deliveries, *writes.outcomes]
        return events

    # Writers of one process queue here rather than abort each other in the database.
    async with _lock(lane):
        events = await context.mongo.transaction(work)
    await _tell(context, lane, events, written[0])
    await tell_of_unheard(context, events)
    if any(delivery.next_attempt_at is not None for delivery in outbox):
        await context.errands.deliver(f"deliver:{lane}:{events[-1].seq if events else outbox[0].id}", lane)
    return events


async def _tell(context: Context, lane: int, events: list[AlertEvent], writes: Writes) -> None:
    if events:
        await context.bus.ring_alerts(lane, events[-1].seq)
    moved = [event for event in events if event.type not in _TELLING]
    touched = {key for event in moved if (key := device_of(event.alert)) is not None}
    touched |= {settlement.device_key for settlement in writes.settlements}
    by_tenant: dict[str, list[str]] = {}
    for key in sorted(touched):
        by_tenant.setdefault(key.split(":", 1)[0], []).append(key)
    for tenant_id, keys in by_tenant.items():
        await context.bus.ring_health(tenant_id, keys)
    for event in moved:
        _log.info(
            "alert.transition",
            tenant=event.tenant_id,
            alert=event.alert_id,
            type=event.type.name,
            rule=event.alert.rule_key,
            subject=event.alert.subject_id,
            actor=event.actor,
            reason=event.reason,
            lane=lane,
            seq=event.seq,
        )


def _lock(lane: int) -> asyncio.Lock:
    locks = _locks.setdefault(asyncio.get_running_loop(), [asyncio.Lock() for _ in range(LANES)])
    return locks[lane]
