"""Writing the record, and listening to it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Generic, TypeVar

from app.context import Context
from app.domain.alert import Alert, AlertEvent, AlertEventType, AlertStatus, Change, Severity
from app.domain.alert_filter import AlertFilter
from app.domain.ids import dedup_key, lane_of, new_id
from app.domain.subject import SubjectKind
from app.principal import Principal
from app.realtime.alert_stream import StreamItem, alert_events
from app.realtime.hub import Hub
from app.store.mongo import Session
from app.transitions import Writes, transact

PATIENCE_SEC = 10
EVERYTHING = AlertFilter()
Item = TypeVar("Item")


class Log:
    """Writes alerts and their transitions, as a worker does."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def open(self, tenant_id: str, device_id: str, severity: Severity = Severity.HIGH) -> Alert:
        now = self._context.clock.now()
        alert = Alert(
            id=new_id(now),
            tenant_id=tenant_id,
            rule_key="quiet",
            dedup_key=dedup_key("quiet", "device", device_id),
            subject_kind=SubjectKind.DEVICE,
            subject_id=device_id,
            severity=severity,
            severity_rank=0,
            status=AlertStatus.OPEN,
            live=True,
            title="Quiet",
            message="It says nothing",
            first_seen=now,
            last_seen=now,
        )
        await self._write(alert.tenant_id, Change(type=AlertEventType.OPENED, at=now, before=None, after=alert))
        return alert

    async def move(self, kind: AlertEventType, before: Alert, after: Alert) -> None:
        await self._write(before.tenant_id, Change(type=kind, at=self._context.clock.now(), before=before, after=after))

    async def comment(self, alert: Alert, times: int = 1) -> None:
        """The shortest way to many events: in one transaction."""
        change = Change(type=AlertEventType.COMMENTED, at=self._context.clock.now(), before=alert, after=alert)
        await self._write(alert.tenant_id, *[change] * times)

    async def everything(self, *tenant_ids: str) -> list[AlertEvent]:
        """What was written to the lanes of these tenants, lane by lane."""
        lanes = {lane_of(tenant_id) for tenant_id in tenant_ids}
        return await self._context.store.events.after(dict.fromkeys(lanes, 0), 100_000)

    async def _write(self, tenant_id: str, *changes: Change) -> list[AlertEvent]:
        async def decide(_: Session) -> Writes:
            return Writes(changes=list(changes))

        return await transact(self._context, lane_of(tenant_id), decide)


class Heard(Generic[Item]):
    """What a subscriber was told so far, and a way to wait for more."""

    def __init__(self) -> None:
        self.items: list[Item] = []
        self._more = asyncio.Condition()

    async def listen(self, stream: AsyncIterator[Item]) -> None:
        async for item in stream:
            async with self._more:
                self.items.append(item)
                self._more.notify_all()

    async def until(self, enough: Callable[[list[Item]], bool]) -> list[Item]:
        async with asyncio.timeout(PATIENCE_SEC), self._more:
            await self._more.wait_for(lambda: enough(self.items))
        return self.items

    async def count(self, count: int) -> list[Item]:
        return await self.until(lambda items: len(items) >= count)


@asynccontextmanager
async def hearing(stream: AsyncIterator[Item]) -> AsyncIterator[Heard[Item]]:
    """A subscriber that reads as fast as it can. The stream's own failure is the test's."""
    heard: Heard[Item] = Heard()
    async with asyncio.TaskGroup() as group:
        task = group.create_task(heard.listen(stream))
        yield heard
        task.cancel()


@asynccontextmanager
async def subscribed(
    hub: Hub, principal: Principal, chosen: AlertFilter = EVERYTHING, after: str | None = None
) -> AsyncIterator[Heard[StreamItem]]:
    """A subscriber to alerts that is there once the block begins."""
    await hub.follower.ready.wait()
    async with hearing(alert_events(hub, principal, chosen, after)) as heard:
        # One turn of the loop takes it to its place.
        await asyncio.sleep(0)
        yield heard


def places(items: list[StreamItem]) -> list[tuple[int, int]]:
    """Where in the record the events of a stream stand."""
    return [(item.event.lane, item.event.seq) for item in items if item.event is not None]


def kinds(items: list[StreamItem]) -> list[str]:
    return [item.type.name for item in items]
