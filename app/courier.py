"""Working off the outbox: tenants in turn, each with a bounded share, and so each channel, so that whoever is slow holds up
nobody else."""

import asyncio
import contextlib
from collections import Counter, deque
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from typing import Any
from uuid import uuid4

import structlog

from app.bundles import Recipient, parcels_of, recipient_of, take_turns
from app.channels.in_app import InAppWay
from app.channels.ways import Ways, open_ways
from app.context import Context
from app.delivering import Sender
from app.domain.channel import Channel
from app.domain.delivery import Delivery, NotYet, after
from app.domain.pace import is_paced
from app.messages import Parcel, open_desk
from app.outcomes import Outcomes
from app.store.deliveries import UNREADABLE_FOR
from app.supervision import undisturbed

AT_ONCE = 256
OF_ONE_TENANT = 48
OF_ONE_CHANNEL = 16
PAGE = 500
LOOK_EVERY_SEC = 1.0
LINGER_SEC = 0.05
DRAIN_SEC = 10.0
"""So long whoever is stopped waits for what is under way: cut off, it would be sent again, and mails know no keys."""

_log = structlog.get_logger(__name__)


async def deliver(context: Context, lane: int) -> int:
    """Sends what is due now, in every lane; how many were taken. Where a courier is at it in this process, it is only told to
    look: jobs that wait for receivers must not fill a worker. `lane` says who asks."""
    if context.errands.wake():
        return 0
    async with _open_ways(context) as ways:
        return await Courier(context, ways).work_off()


async def keep_delivering(context: Context) -> None:
    """The courier of this process, until cancelled; then it finishes what is under way. Errands still come to it when it has left, for
    a job that is picked up by then must not begin anew."""
    async with _open_ways(context) as ways:
        courier = Courier(context, ways)
        context.errands.serve_here(courier.wake)
        await courier.run()


def _open_ways(context: Context) -> AbstractAsyncContextManager[Ways]:
    keep = timedelta(days=context.settings.event_retention_days)
    return open_ways(context.settings, InAppWay(context.store.notifications, context.bus, keep))


async def lanes_to_deliver(context: Context) -> set[int]:
    return await context.store.deliveries.lanes_due(context.clock.now())


class Courier:
    """One process' hand on the outbox."""

    def __init__(self, context: Context, ways: Ways, drain_sec: float = DRAIN_SEC) -> None:
        self._context = context
        self._drain_sec = drain_sec
        self._outcomes = Outcomes(context)
        self._sender = Sender(context, ways, self._outcomes)
        self._waiting: list[Delivery] = []
        self._crowded = False
        self._looked_at = 0.0
        self._at_it: dict[asyncio.Task[None], Sequence[Delivery]] = {}
        self._turns: set[Recipient] = set()
        self._woken = asyncio.Event()
        self._taken = 0
        self._leaving = False

    def wake(self) -> None:
        """Something may be due."""
        self._woken.set()

    async def run(self) -> None:
        """Works until cancelled: looks when it is woken, and every second in any case. Then it begins nothing more, and leaves when
        what is under way has come to its end, or has taken too long."""
        try:
            while True:
                await self._try_to_work()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_EVERY_SEC):
                        await self._woken.wait()
        finally:
            await undisturbed(self._drain())

    async def work_off(self) -> int:
        """Sends until nothing is due; how many deliveries were taken."""
        before = self._taken
        try:
            await self._work()
        finally:
            await self._cut_off()
        return self._taken - before

    async def _try_to_work(self) -> None:
        try:
            await self._work()
        except Exception:  # noqa: BLE001 - said, and tried again: this loop is what must not end
            _log.exception("courier.failed")

    async def _work(self) -> None:
        try:
            while await self._begin_if_it_can() or self._at_it:
                await self._until_something_changes()
        finally:
            self._waiting.clear()

    async def _drain(self) -> None:
        self._leaving = True
        if self._at_it:
            await asyncio.wait(self._at_it, timeout=self._drain_sec)
        self._clear_away()
        if self._at_it:
            # Their leases end, and they are tried again.
            _log.warning("courier.cut_off", deliveries=[one.id for some in self._at_it.values() for one in some])
        await self._cut_off()

    async def _cut_off(self) -> None:
        for task in self._at_it:
            task.cancel()
        await asyncio.gather(*self._at_it, return_exceptions=True)
        self._at_it.clear()
        self._turns.clear()

    async def _begin_if_it_can(self) -> int:
        """A look that fails leaves what is under way alone: it may be with its receivers already."""
        try:
            return await self._begin()
        except Exception:
            if not self._at_it:
                raise
            _log.exception("courier.failed")
            return 0

    async def _begin(self) -> int:
        """Begins as many as there is room for; how many."""
        at_it = [one for some in self._at_it.values() for one in some]
        if len(at_it) >= AT_ONCE:
            return 0
        if self._woken.is_set() or not self._waiting or _monotonic() - self._looked_at >= LOOK_EVERY_SEC:
            self._woken.clear()
            self._waiting.clear()
            await self._look(at_it)
            self._looked_at = _monotonic()
        chosen = in_turn(self._waiting, at_it, AT_ONCE)
        if self._crowded and len(at_it) + len(chosen) < AT_ONCE:
            await self._look(at_it, *_full([*at_it, *chosen]))
            chosen = in_turn(self._waiting, at_it, AT_ONCE)
        if chosen:
            await self._start(chosen)
        return len(chosen)

    async def _look(self, at_it: Sequence[Delivery], tenants: Sequence[str] = (), channels: Sequence[str] = ()) -> None:
        """Finds what is due for others than these, who have their share. Behind a full page there may be more."""
        due = await self._context.store.deliveries.due(self._context.clock.now(), PAGE, tenants, channels)
        self._crowded = len(due) == PAGE
        known = {one.id for one in at_it} | {one.id for one in self._waiting}
        self._waiting += [one for one in due if one.id not in known and recipient_of(one) not in self._turns]

    async def _start(self, chosen: Sequence[Delivery]) -> None:
        """What goes by itself is taken together, and so are those whose turn it may be: one for each recipient."""
        channels = await self._context.store.channels.to_tell_by_id({one.channel_id for one in chosen})
        chosen = await self._but_unreadable(chosen, channels)
        turns = {recipient_of(one): one for one in reversed(chosen) if _takes_turns(one, channels)}
        singles = [one for one in chosen if not _takes_turns(one, channels)]
        gone = {one.id for one in singles}
        self._waiting = [
            one
            for one in self._waiting
            if one.id not in gone and not (_takes_turns(one, channels) and recipient_of(one) in turns)
        ]
        if singles:
            self._spawn(self._take(singles, channels), singles)
        if turns:
            self._turns.update(turns)
            self._spawn(self._take_turns(list(turns.values()), channels), list(turns.values()))

    async def _but_unreadable(self, chosen: Sequence[Delivery], channels: Mapping[str, Channel]) -> Sequence[Delivery]:
        """What goes to a channel that this version cannot read is left for later, or for another version."""
        store, now = self._context.store, self._context.clock.now()
        missing = {one.channel_id for one in chosen} - set(channels)
        unreadable = await store.channels.there(missing) if missing else set()
        if not unreadable:
            return chosen
        late = {one.id for one in chosen if one.channel_id in unreadable}
        await store.deliveries.wait(late, now + UNREADABLE_FOR, now)
        self._waiting = [one for one in self._waiting if one.id not in late]
        return [one for one in chosen if one.id not in late]

    async def _take(self, singles: Sequence[Delivery], channels: Mapping[str, Channel]) -> None:
        lease = uuid4().hex
        claimed = await self._context.store.deliveries.claim([one.id for one in singles], lease, self._context.clock.now())
        await self._send(await parcels_of(self._context, lease, claimed), channels)

    async def _take_turns(self, firsts: Sequence[Delivery], channels: Mapping[str, Channel]) -> None:
        try:
            parcels = await take_turns(self._context, self._outcomes, channels, firsts)
        finally:
            self._turns.difference_update(recipient_of(one) for one in firsts)
        await self._send(parcels, channels)

    async def _send(self, parcels: Sequence[Parcel], channels: Mapping[str, Channel]) -> None:
        """A task for each, so that who is slow holds its own place alone."""
        if not parcels:
            return
        desk = await open_desk(self._context, parcels, channels)
        if self._leaving:
            await self._hand_back(parcels)
            return
        for parcel in parcels:
            self._taken += len(parcel.rows)
            self._spawn(self._sender.deliver(desk, parcel), [parcel.delivery])

    async def _hand_back(self, parcels: Sequence[Parcel]) -> None:
        """What was taken and not begun is anybody's at once; it was no try."""
        now = self._context.clock.now()
        free = [after(parcel.delivery, NotYet(now), 0, now) for parcel in parcels]
        await self._context.store.deliveries.settle(free, [parcel.lease for parcel in parcels])

    def _spawn(self, work: Coroutine[Any, Any, None], deliveries: Sequence[Delivery]) -> None:
        self._at_it[asyncio.create_task(work)] = deliveries

    async def _until_something_changes(self) -> None:
        if not self._at_it:
            return
        woken = asyncio.create_task(self._woken.wait())
        try:
            # Not for ever: who hangs must not keep others from being looked at when their time comes.
            await asyncio.wait([*self._at_it, woken], return_when=asyncio.FIRST_COMPLETED, timeout=LOOK_EVERY_SEC)
            if self._waiting:
                # More places fall free in a moment, and what is taken together costs half of what it does one by one.
                await asyncio.sleep(LINGER_SEC)
        finally:
            woken.cancel()
        self._clear_away()

    def _clear_away(self) -> None:
        for task in [task for task in self._at_it if task.done()]:
            some = self._at_it.pop(task)
            if (error := task.exception()) is not None:
                # Its lease ends, and it is tried again.
                _log.error("delivery.failed", deliveries=[one.id for one in some], error=type(error).__name__)


def in_turn(waiting: Sequence[Delivery], at_it: Sequence[Delivery], most: int) -> list[Delivery]:
    """One of each tenant after the other, up to each one's and each channel's share and the room there is."""
    tenants, channels = _busy(at_it)
    lines: dict[str, deque[Delivery]] = {}
    for one in waiting:
        lines.setdefault(one.tenant_id, deque()).append(one)
    chosen: list[Delivery] = []
    while lines and len(chosen) + len(at_it) < most:
        for tenant_id in list(lines):
            line = lines[tenant_id]
            while line and channels[line[0].channel_id] >= OF_ONE_CHANNEL:
                line.popleft()
            if not line or tenants[tenant_id] >= OF_ONE_TENANT:
                del lines[tenant_id]
            elif len(chosen) + len(at_it) < most:
                one = line.popleft()
                chosen.append(one)
                tenants[tenant_id] += 1
                channels[one.channel_id] += 1
    return chosen


def _busy(at_it: Iterable[Delivery]) -> tuple[Counter[str], Counter[str]]:
    """How many are under way for each tenant, and for each channel."""
    deliveries = list(at_it)
    return Counter(one.tenant_id for one in deliveries), Counter(one.channel_id for one in deliveries)


def _full(at_it: Iterable[Delivery]) -> tuple[list[str], list[str]]:
    """The tenants and the channels that have their share."""
    tenants, channels = _busy(at_it)
    return (
        [tenant_id for tenant_id, count in tenants.items() if count >= OF_ONE_TENANT],
        [channel_id for channel_id, count in channels.items() if count >= OF_ONE_CHANNEL],
    )


def _monotonic() -> float:
    return asyncio.get_running_loop().time()


def _takes_turns(delivery: Delivery, channels: Mapping[str, Channel]) -> bool:
    """Whether it goes with what else its recipient is to hear. What is tried again, tests and bundles go by themselves."""
    channel = channels.get(delivery.channel_id)
    fresh = delivery.error is None and not delivery.by_itself and delivery.alert_id is not None and delivery.bundling is None
    return fresh and channel is not None and is_paced(channel.kind)
