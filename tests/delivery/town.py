"""A small town for whatever may happen: its channels and people, its alerts, and its couriers, some of which are killed."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import datetime
from typing import Any

import msgspec

from app.channel_changes import delete_channel, update_channel
from app.channels.in_app import InAppWay
from app.channels.ways import Ways, open_ways
from app.context import Context
from app.courier import Courier
from app.deliveries import retry_delivery
from app.domain import lifecycle
from app.domain.alert import SEVERITY_RANK, Alert, AlertEventType, AlertStatus, Change, Resolution, Severity
from app.domain.channel import Channel
from app.domain.channel_input import ChannelPatch, InAppInput, SlackInput
from app.domain.delivery import LEASE, Delivery, DeliveryStatus, Line
from app.domain.ids import lane_of
from app.domain.preferences_input import PreferencesPatch
from app.domain.quiet_hours import QuietHours
from app.errors import ConflictError, ForbiddenError, NotFoundError
from app.preferences import update_preferences
from app.store.mongo import Session
from app.transitions import Writes, transact
from tests.alerts.world import an_alert
from tests.cast import NOW, mate, owner, viewer
from tests.delivery.killing import Fuse, Mortal, mortal, until_killed
from tests.delivery.receiver import Call, Receiver
from tests.delivery.test_fallbacks import member
from tests.delivery.world import World

EMPTIED = ("provider_alerts", "alert_events", "rule_states", "deliveries", "paces", "channels", "preferences", "members")
GIVEN_UP = (DeliveryStatus.DEAD, DeliveryStatus.FAILED)
QUIET = QuietHours(enabled=True, start="06:10", end="06:30", timezone="UTC")
PATIENCE_SEC = 0.3
"""So long a receiver that hangs is waited for."""

Move = Callable[[Alert], Change | None]


class _Seen:
    """What is tried again, and how much had been received when that was written."""

    def __init__(self, context: Context, receiver: Receiver) -> None:
        stores: Any = Mortal(context.store, Fuse(None))
        stores.deliveries = Mortal(context.store.deliveries, Fuse(None))
        stores.deliveries.write = self.write
        self.context = replace(context, store=stores)
        self.again: list[Delivery] = []
        self.heard = 0
        self._real = context.store.deliveries
        self._receiver = receiver

    async def write(self, rows: Sequence[Delivery], session: Session) -> None:
        before = await self._real.get_many({row.id for row in rows}, session)
        self.again = [row for row in rows if before[row.id].status in GIVEN_UP and row.status is DeliveryStatus.PENDING]
        self.heard = len(self._receiver.calls)
        await self._real.write(rows, session)


class Town:
    def __init__(self, world: World, ways: Ways) -> None:
        self.world = world
        self.ways = ways
        self.context = world.context
        self.channels: dict[str, Channel] = {}
        self.meddled: set[str] = set()
        self.alerts: list[str] = []
        self.received: list[tuple[datetime, Call]] = []
        self.kills = 0
        self.retried: list[str] = []
        self.anew: dict[Line, list[int]] = defaultdict(list)
        """The lines of which something later was tried again with what was before it, and what had been received until then."""

    async def begin(self) -> None:
        for name in EMPTIED:
            await self.context.mongo.database[name].delete_many({})
        self.world.go_to(NOW)
        self.world.receiver.calls.clear()
        self.world.receiver.answers, self.world.receiver.always = [], {}
        for person in (owner, mate, viewer):
            await member(self.world, person)
        spare = await self._make("spare", path="/spare")
        web = await self._make("web", path="/web", fallback_channel_id=spare.id)
        slack = await self._make("slack", config=self._slack("slack"), fallback_channel_id=web.id)
        inside = await self._make("inside", config=InAppInput())
        await self._make("mats-1", principal=mate, personal=True, config=self._slack("mats-1"))
        await self._make("mats-2", principal=mate, personal=True, path="/mats-2")
        await self._make("vera", principal=viewer, personal=True, config=self._slack("vera"))
        await update_preferences(self.context, mate, PreferencesPatch(quiet_hours=QUIET))
        await update_preferences(self.context, viewer, PreferencesPatch(digest_sec=60))
        default = [web.id, slack.id, inside.id]
        await self.context.store.tenants.change("acme", {"default_channel_ids": default})

    def _slack(self, name: str) -> SlackInput:
        return SlackInput(webhook_url=f"{self.world.receiver.url}/{name}")

    async def _make(self, name: str, **values: Any) -> Channel:
        self.channels[name] = await self.world.channel(**{"name": name, **values})
        return self.channels[name]

    async def open(self, place: int, severity: Severity, held_sec: int, *, folded: bool) -> None:
        """A new alert; or nothing, where the one of the same subject is live."""
        now, number = self.world.clock.now(), len(self.alerts)
        self.alerts.append(f"alert-{number}")
        alert = an_alert(
            id=f"alert-{number}",
            subject_id=f"pos-{place}",
            title=f"Alert [{number}] of {place}",
            severity=severity,
            first_seen=now,
            last_seen=now,
            parent_id="a-parent" if folded else None,
            telling_held_until=self._later(held_sec),
        )

        async def work(session: Session) -> Writes:
            if await self._is_live(alert, session):
                return Writes()
            return Writes([Change(type=AlertEventType.OPENED, at=now, before=None, after=alert)])

        await transact(self.context, lane_of("acme"), work)

    async def _is_live(self, alert: Alert, session: Session) -> bool:
        key = (alert.tenant_id, alert.dedup_key)
        return bool(await self.context.store.alerts.live(owner.scope, [key], session=session))

    def _later(self, seconds: int) -> datetime | None:
        return self.world.clock.now() + (LEASE / LEASE.total_seconds()) * seconds if seconds else None

    async def move(self, place: int, move: Move) -> None:
        """Something happens to one of the alerts that there were; what does not fit does not happen."""
        if not self.alerts:
            return
        alert_id = self.alerts[place % len(self.alerts)]

        async def work(session: Session) -> Writes:
            alert = await self.context.store.alerts.get(owner.scope, alert_id, session=session)
            change = None if alert is None else move(alert)
            if change is None or (change.type is AlertEventType.REOPENED and await self._is_live(change.after, session)):
                return Writes()
            return Writes([change])

        with suppress(ConflictError):
            await transact(self.context, lane_of("acme"), work)

    def end(self, alert: Alert) -> Change:
        return lifecycle.resolve(alert, None, "it is over", Resolution.RECOVERED, self.world.clock.now())

    def acknowledge(self, alert: Alert) -> Change:
        return lifecycle.acknowledge(alert, mate.id, "mine", None, self.world.clock.now())

    def reopen(self, alert: Alert) -> Change:
        return lifecycle.reopen(alert, mate.id, "it is not over", self.world.clock.now())

    def fold(self, alert: Alert) -> Change | None:
        parent = msgspec.structs.replace(alert, id="a-parent")
        return lifecycle.fold(alert, parent, self.world.clock.now()) if alert.live and alert.parent_id is None else None

    def unfold(self, alert: Alert) -> Change | None:
        return lifecycle.unfold(alert, "on its own", None, self.world.clock.now()) if alert.live and alert.parent_id else None

    def severity(self, to: Severity) -> Move:
        def move(alert: Alert) -> Change | None:
            differs = alert.live and SEVERITY_RANK[alert.severity] != SEVERITY_RANK[to]
            return lifecycle.change_severity(alert, to, self.world.clock.now()) if differs else None

        return move

    async def switch(self, name: str, *, on: bool) -> None:
        self.meddled.add(name)
        with suppress(NotFoundError, ForbiddenError):
            who = {"mats-1": mate, "mats-2": mate, "vera": viewer}.get(name, owner)
            await update_channel(self.context, who, self.channels[name].id, ChannelPatch(enabled=on))

    async def delete(self, name: str) -> None:
        self.meddled.add(name)
        with suppress(NotFoundError, ForbiddenError):
            who = {"mats-1": mate, "mats-2": mate, "vera": viewer}.get(name, owner)
            await delete_channel(self.context, who, self.channels[name].id)

    async def retry(self, place: int) -> None:
        dead = [one for one in await self.world.deliveries() if one.status in GIVEN_UP]
        if dead:
            one = dead[place % len(dead)]
            seen = _Seen(self.context, self.world.receiver)
            with suppress(ConflictError):
                await retry_delivery(seen.context, owner, one.id)
                self.retried += [row.id for row in seen.again]
                for line in {row.line for row in seen.again if row.next_attempt_at is None and row.bundle_id is None}:
                    self.anew[line].append(seen.heard)

    async def deliver(self) -> None:
        await Courier(self.context, self.ways).work_off()

    async def deliver_until_killed(self, length: int) -> None:
        fuse = Fuse(length)
        work = asyncio.create_task(Courier(mortal(self.context, fuse), self.ways).work_off())
        self.kills += await until_killed(work, fuse)

    async def deliver_until_stopped(self, turns: int) -> None:
        """A courier that is told to leave after so many turns of the loop."""
        work = asyncio.create_task(Courier(self.context, self.ways).run())
        for _ in range(turns):
            await asyncio.sleep(0)
        while not work.done():
            work.cancel()
            await asyncio.wait([work], timeout=PATIENCE_SEC)
        # Who took a turn and hands it back may have cost a message.
        self.kills += 1

    async def pass_time(self, seconds: float) -> None:
        self.world.clock.advance(seconds)

    def look(self) -> None:
        """Notes what was received, and when."""
        calls = self.world.receiver.calls
        self.received += [(self.world.clock.now(), call) for call in calls[len(self.received) :]]

    async def settle(self) -> None:
        """Everybody is well again, and time passes until nothing is left to do."""
        self.world.receiver.answers, self.world.receiver.always = [], {}
        for _ in range(400):
            await self.deliver()
            self.look()
            due = [one.next_attempt_at for one in await self.rows() if not one.is_finished and one.next_attempt_at is not None]
            if not due:
                return
            self.world.clock.advance(max(0.0, (min(due) - self.world.clock.now()).total_seconds()))
        raise AssertionError(f"it does not come to an end: {[one for one in await self.rows() if not one.is_finished]}")

    async def rows(self) -> list[Delivery]:
        return await self.world.deliveries()


@asynccontextmanager
async def a_town(world: World) -> AsyncIterator[Town]:
    inside = InAppWay(world.context.store.notifications, world.context.bus, LEASE * 100)
    async with open_ways(world.context.settings, inside, PATIENCE_SEC) as ways:
        town = Town(world, ways)
        await town.begin()
        yield town


def is_over(alert: Alert) -> bool:
    return alert.status is AlertStatus.RESOLVED
