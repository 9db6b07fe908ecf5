"""What the tests of deliveries share: channels, alerts that open and end, and the courier at work."""

from datetime import datetime
from typing import Any

import msgspec

from app.channel_changes import create_channel
from app.clock import ManualClock
from app.context import Context
from app.courier import deliver
from app.domain import lifecycle
from app.domain.alert import Alert, AlertEvent, AlertEventType, Change, Resolution
from app.domain.channel import Channel
from app.domain.channel_input import ChannelInput, WebhookInput
from app.domain.delivery import Delivery
from app.domain.ids import lane_of
from app.domain.tenant import EVERY_TENANT
from app.principal import Principal
from app.store.mongo import Session
from app.transitions import Writes, transact
from tests.alerts.world import kept, opened, told
from tests.cast import owner
from tests.delivery.receiver import Receiver

KEY = "a key for the tests 0123456789"


class World:
    def __init__(self, context: Context, clock: ManualClock, receiver: Receiver) -> None:
        self.context = context
        self.clock = clock
        self.receiver = receiver

    async def channel(self, principal: Principal = owner, path: str = "", **values: Any) -> Channel:
        webhook = WebhookInput(url=self.receiver.url + path, secret=KEY)
        return await create_channel(self.context, principal, ChannelInput(**{"name": "Pager", "config": webhook, **values}))

    async def open(self, **fields: Any) -> Alert:
        return await opened(self.context, **{"id": f"alert-{fields.get('subject_id', 'pos-1')}", **fields})

    async def change(self, kind: AlertEventType, alert: Alert, **fields: Any) -> Alert:
        before = await kept(self.context, alert)
        after = msgspec.structs.replace(before, **fields)
        await self.write(Change(type=kind, at=self.clock.now(), before=before, after=after))
        return after

    async def end(self, alert: Alert, kind: Resolution = Resolution.RECOVERED, actor: str | None = None) -> None:
        await self.write(lifecycle.resolve(await kept(self.context, alert), actor, "it is over", kind, self.clock.now()))

    async def write(self, change: Change) -> None:
        async def work(_: Session) -> Writes:
            return Writes([change])

        await transact(self.context, lane_of(change.after.tenant_id), work)

    async def send(self, after_sec: float = 0) -> int:
        self.clock.advance(after_sec)
        return await deliver(self.context, 0)

    async def deliveries(self) -> list[Delivery]:
        return (await self.context.store.deliveries.page(EVERY_TENANT, None, (), 10_000))[::-1]

    async def only_one(self) -> Delivery:
        [delivery] = await self.deliveries()
        return delivery

    async def states(self) -> list[str]:
        found = sorted(await self.deliveries(), key=lambda one: (one.alert_id or "", one.seq))
        return [one.status.name for one in found]

    async def events(self, alert: Alert) -> list[AlertEvent]:
        return await told(self.context, alert)

    async def timeline(self, alert: Alert) -> list[str]:
        return [event.type.name for event in await told(self.context, alert)]

    def go_to(self, at: datetime) -> None:
        self.clock.advance((at - self.clock.now()).total_seconds())

    def later(self, seconds: float) -> datetime:
        return self.clock.advance(seconds)
