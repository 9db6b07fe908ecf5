"""What the tests of the watchman share: parts of Fleetbeat that run or hang, and the watchman's rounds."""

from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any, Self

from app.channels.outside import open_outside
from app.clock import ManualClock
from app.context import Context
from app.domain.alert import Alert
from app.domain.delivery import Delivery, DeliveryStatus
from app.domain.ids import LANES
from app.domain.silence import GAP
from app.domain.tenant import PLATFORM, only
from app.rule_tick import MARK
from app.store.intakes import IntakeRecord
from app.watchman import LOOK_EVERY_SEC, Watchman
from tests.delivery.receiver import Receiver

INTERVALS = {"sweep": 1.0, "rules": 15.0}


class Platform:
    """All parts run unless they are among `hanging`. `watchman` is the one of the first worker."""

    def __init__(self, context: Context, clock: ManualClock, receiver: Receiver) -> None:
        self.context = context
        self.clock = clock
        self.receiver = receiver
        self.hanging: set[str] = set()
        self.stream_lag_sec = 0.0
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        self.watchman = await self.another_watchman()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self._stack.aclose()

    async def another_watchman(self, context: Context | None = None) -> Watchman:
        return Watchman(context or self.context, INTERVALS, await self._stack.enter_async_context(open_outside()))

    async def pass_time(self, seconds: float, *watchmen: Watchman) -> None:
        """Everything that does not hang does its work in each look's time, and then the watchmen look."""
        for _ in range(round(seconds / LOOK_EVERY_SEC)):
            self.clock.advance(LOOK_EVERY_SEC)
            await self.work()
            for watchman in watchmen or (self.watchman,):
                await watchman.try_round()

    async def work(self) -> None:
        now, store = self.clock.now(), self.context.store
        for name, interval in INTERVALS.items():
            if name not in self.hanging and await store.leases.claim_tick(name, interval, now):
                await store.leases.finish_tick(name, now, now, "OSError" if f"{name} fails" in self.hanging else None)
        if "judging" not in self.hanging:
            for lane in range(LANES):
                await store.leases.advance(MARK, lane, now)
        if "api" not in self.hanging:
            sign = IntakeRecord(id="api-1", at=now, beats_per_sec=0, subscribers=0, stream_lag_sec=self.stream_lag_sec)
            await store.intakes.sign(sign, GAP)

    async def alerts(self) -> list[Alert]:
        """Every alert of the platform, the oldest first."""
        events = await self.context.store.events.after(dict.fromkeys(range(LANES), 0), 10_000)
        ids = list(dict.fromkeys(event.alert_id for event in events if event.tenant_id == PLATFORM))
        there = await self.context.store.alerts.get_many(only(PLATFORM), ids)
        return [there[alert_id] for alert_id in ids]

    async def story(self) -> list[tuple[str, str, str]]:
        """(rule, subject, what happened), in order."""
        events = await self.context.store.events.after(dict.fromkeys(range(LANES), 0), 10_000)
        return [
            (event.alert.rule_key, event.alert.subject_id, event.type.name) for event in events if event.tenant_id == PLATFORM
        ]

    def told(self) -> list[tuple[str, list[str]]]:
        """(event, the subjects of its troubles) of each message to the platform's webhook, in order."""
        calls = [call.said for call in self.receiver.calls if call.path.endswith("/platform")]
        return [(said["event"], [trouble["subject"] for trouble in said["troubles"]]) for said in calls]

    def pings(self) -> int:
        return sum(1 for call in self.receiver.calls if call.path.endswith("/alive"))

    async def delivery(self, number: int, status: DeliveryStatus, due_at: datetime | None, **fields: Any) -> Delivery:
        now = self.clock.now()
        delivery = Delivery(
            id=f"delivery-{number}",
            tenant_id="acme",
            lane=0,
            seq=number,
            event="alert.opened",
            channel_id="pager",
            recipient="http://example.com/…",
            reason="every enabled channel of the tenant is told",
            status=status,
            created_at=now,
            expire_at=now + timedelta(days=90),
            next_attempt_at=due_at,
            **fields,
        )
        await self.context.store.deliveries.insert([delivery])
        return delivery
