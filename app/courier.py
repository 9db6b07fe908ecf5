"""Working off the outbox: tenants in turn, each with a bounded share, and so each channel, so that whoever is slow holds up
nobody else."""

import asyncio
import contextlib
from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from uuid import uuid4

import structlog

from app.bundles import take_turn
from app.channels.in_app import InAppWay
from app.channels.ways import Ways, open_ways
from app.context import Context
from app.delivering import Sender
from app.domain.channel import Channel
from app.domain.delivery import Delivery
from app.domain.pace import is_paced
from app.messages import Parcel, open_desk
from app.outcomes import Outcomes

AT_ONCE = 64
OF_ONE_TENANT = 24
OF_ONE_CHANNEL = 12
PAGE = 500
LOOK_EVERY_SEC = 1.0
Recipient = tuple[str, str, str]
"""Tenant, channel, address."""

_log = structlog.get_logger(__name__)


async def deliver(context: Context, lane: int) -> int:
    """Sends what is due now, in every lane; how many were taken. Where a courier is at it in this process, it is only told to
    look: jobs that wait for receivers must not fill a worker. `lane` says who asks."""
    if context.errands.wake():
        return 0
    async with _open_ways(context) as ways:
        return await Courier(context, ways).work_off()


async def keep_delivering(context: Context) -> None:
    """The courier of this process, until cancelled."""
    async with _open_ways(context) as ways:
        courier = Courier(context, ways)
        context.errands.serve_here(courier.wake)
        try:
            await courier.run()
        finally:
            context.errands.serve_here(None)


def _open_ways(context: Context) -> AbstractAsyncContextManager[Ways]:
    keep = timedelta(days=context.settings.event_retention_days)
    return open_ways(context.settings, InAppWay(context.store.notifications, context.bus, keep))


async def lanes_to_deliver(context: Context) -> set[int]:
    return await context.store.deliveries.lanes_due(context.clock.now())


class Courier:
    """One process' hand on the outbox."""

    def __init__(self, context: Context, ways: Ways) -> None:
        self._context = context
        self._outcomes = Outcomes(context)
        self._sender = Sender(context, ways, self._outcomes)
        self._waiting: list[Delivery] = []
        self._tasks: dict[asyncio.Task[None], Delivery] = {}
        self._turns: dict[asyncio.Task[None], Recipient] = {}
        self._woken = asyncio.Event()
        self._taken = 0

    def wake(self) -> None:
        """Something may be due."""
        self._woken.set()

    async def run(self) -> None:
        """Works until cancelled: looks when it is woken, and every second in any case."""
        while True:
            try:
                await self.work_off()
            except Exception:  # noqa: BLE001 - said, and tried again: this loop is what must not end
                _log.exception("courier.failed")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_EVERY_SEC):
                    await self._woken.wait()

    async def work_off(self) -> int:
        """Sends until nothing is due; how many deliveries were taken."""
        before = self._taken
        try:
            while await self._begin() or self._tasks:
                await self._until_something_changes()
        finally:
            self._waiting.clear()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            self._tasks.clear()
            self._turns.clear()
        return self._taken - before

    async def _begin(self) -> int:
        """Begins as many as there is room for; how many."""
        if len(self._tasks) >= AT_ONCE:
            return 0
        if self._woken.is_set() or not self._waiting:
            self._woken.clear()
            await self._look()
        chosen = in_turn(self._waiting, list(self._tasks.values()), AT_ONCE)
        if not chosen and self._waiting:
            # Those who wait have their share: there may be others behind them.
            await self._look(self._full_tenants())
            chosen = in_turn(self._waiting, list(self._tasks.values()), AT_ONCE)
        if chosen:
            await self._start(chosen)
        return len(chosen)

    async def _look(self, but_for: Sequence[str] = ()) -> None:
        due = await self._context.store.deliveries.due(self._context.clock.now(), PAGE, but_for)
        known = {one.id for one in self._tasks.values()} | {one.id for one in self._waiting}
        turns = set(self._turns.values())
        self._waiting += [one for one in due if one.id not in known and _recipient(one) not in turns]

    def _full_tenants(self) -> list[str]:
        return [tenant for tenant, count in _busy(self._tasks.values())[0].items() if count >= OF_ONE_TENANT]

    async def _start(self, chosen: Sequence[Delivery]) -> None:
        """Singles are claimed and written together; whoever is told in turns has a task for the whole turn."""
        channels = await self._context.store.channels.to_tell_by_id({one.channel_id for one in chosen})
        turns = [one for one in chosen if _takes_turns(one, channels)]
        singles = [one for one in chosen if not _takes_turns(one, channels)]
        gone = {one.id for one in singles}
        taking = {recipient: one for one in turns if (recipient := _recipient(one)) is not None}
        self._waiting = [one for one in self._waiting if one.id not in gone and _recipient(one) not in taking]
        for recipient, one in taking.items():
            task = asyncio.create_task(self._turn(channels[one.channel_id], one))
            self._tasks[task], self._turns[task] = one, recipient
        if singles:
            await self._start_singles(singles, channels)

    async def _start_singles(self, singles: Sequence[Delivery], channels: Mapping[str, Channel]) -> None:
        lease, now = uuid4().hex, self._context.clock.now()
        claimed = await self._context.store.deliveries.claim([one.id for one in singles], lease, now)
        if not claimed:
            return
        parcels = [Parcel(one, lease, await self._members(one)) for one in claimed]
        desk = await open_desk(self._context, parcels, channels)
        for parcel in parcels:
            self._taken += len(parcel.rows)
            self._tasks[asyncio.create_task(self._sender.deliver(desk, parcel))] = parcel.delivery

    async def _members(self, delivery: Delivery) -> Sequence[Delivery]:
        return () if delivery.bundling is None else await self._context.store.deliveries.members(delivery)

    async def _turn(self, channel: Channel, first: Delivery) -> None:
        parcel = await take_turn(self._context, self._outcomes, channel, first)
        if parcel is not None:
            self._taken += len(parcel.rows)
            desk = await open_desk(self._context, [parcel], {channel.id: channel})
            await self._sender.deliver(desk, parcel)

    async def _until_something_changes(self) -> None:
        if not self._tasks:
            return
        woken = asyncio.create_task(self._woken.wait())
        try:
            done, _ = await asyncio.wait([*self._tasks, woken], return_when=asyncio.FIRST_COMPLETED)
        finally:
            woken.cancel()
        for task in [task for task in self._tasks if task in done]:
            one = self._tasks.pop(task)
            self._turns.pop(task, None)
            if (error := task.exception()) is not None:
                # Its lease ends, and it is tried again.
                _log.error("delivery.failed", delivery=one.id, tenant=one.tenant_id, error=repr(error))


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


def _takes_turns(delivery: Delivery, channels: Mapping[str, Channel]) -> bool:
    """Whether it goes with what else its recipient is to hear. What is tried again, tests and bundles go by themselves."""
    channel = channels.get(delivery.channel_id)
    fresh = delivery.error is None and delivery.alert_id is not None and delivery.bundling is None
    return fresh and channel is not None and is_paced(channel.kind)


def _recipient(delivery: Delivery) -> Recipient | None:
    """Whose turn it would be; None for what goes by itself."""
    if delivery.error is not None or delivery.alert_id is None or delivery.bundling is not None:
        return None
    return (delivery.tenant_id, delivery.channel_id, delivery.address)
