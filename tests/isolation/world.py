"""Two tenants that look alike: the same devices, stores, rules and alerts, in the same lane. Their texts tell whose they are."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import msgspec
from pymongo import MongoClient

from app.api_keys import ApiKeyInput, create_api_key
from app.channel_changes import create_channel
from app.context import Context
from app.domain.alert import AlertEventType, AlertStatus, Severity
from app.domain.beat import Metric
from app.domain.beat_input import BeatInput
from app.domain.channel import Channel
from app.domain.channel_input import ChannelInput, EmailInput, WebhookInput
from app.domain.cursor import StreamCursor, write_cursor
from app.domain.delivery import Delivery, DeliveryStatus
from app.domain.device import Device, DeviceStatus
from app.domain.ids import device_key, lane_of
from app.domain.notification import InAppNotification, notification_id
from app.domain.rule import Comparison, MetricCondition
from app.domain.rule_input import RuleInput
from app.domain.tenant import EVERY_TENANT, Member, Role, Tenant, only
from app.heartbeats import record
from app.metrics import note_metrics
from app.principal import Principal, PrincipalKind
from app.realtime.hub import Hub
from app.rule_changes import create_rule
from app.sites import SiteInput, save_site
from tests.alerts.world import an_alert, keep, opened
from tests.cast import NOW, mate, owner, person, viewer
from tests.realtime.log import Log

OTHER = "hooli"
"""A tenant of the lane that `acme` is in, so that they share a record and its transactions."""

outsider = person("otto", Role.ADMIN, OTHER)


def device_of(tenant_id: str) -> Principal:
    key = device_key(tenant_id, "till-1")
    return Principal(PrincipalKind.DEVICE, key, None, frozenset((tenant_id,)), frozenset((key,)))


CALLERS: Mapping[str, Principal] = {
    "outsider": outsider,
    "their_till": device_of(OTHER),
    "viewer": viewer,
    "till": device_of("acme"),
    "key": Principal(PrincipalKind.API_KEY, "key:1", Role.ADMIN, frozenset(("acme",)), frozenset(("acme:till-1",))),
    "mate": mate,
    "owner": owner,
}
"""In the order in which they ask: those who may change nothing of `acme` come first."""


def tenant_of(principal: Principal) -> str:
    return next(iter(principal.tenant_ids or ()))


def queue(tenant_id: str) -> str:
    """The gauge that the tenant's devices send and its rule looks at."""
    return f"queue of {tenant_id}"


STATES = {"open": AlertStatus.OPEN, "acknowledged": AlertStatus.ACKNOWLEDGED, "resolved": AlertStatus.RESOLVED}
_PLATFORM: dict[str, dict[str, Any]] = {"alert_rules": {"tenant_id": None}, "tenants": {"_id": "platform"}}
Documents = dict[str, list[dict[str, Any]]]


@dataclass(frozen=True)
class Things:
    """What a tenant has, by the ids under which callers ask for it."""

    tenant_id: str
    rule_id: str
    key_id: str
    beginning: str
    channel_id: str
    personal_id: str
    own_id: str
    notification_id: str

    def alert(self, state: str, who: str) -> str:
        """One for the mate, one for everybody else: both may act on what they see."""
        return alert_id(self.tenant_id, state, "mate" if who == "mate" else "owner")

    def dead(self, who: str) -> str:
        """A dead delivery, as for alerts."""
        return f"{len(self.tenant_id)}-dead-{'mate' if who == 'mate' else 'owner'}"


class World:
    """Both tenants on a real database."""

    def __init__(self, context: Context, hub: Hub, client: "MongoClient[dict[str, Any]]") -> None:
        self.context = context
        self.hub = hub
        self._database = client[context.settings.mongo_database]
        self._log = Log(context)
        self._turn = 0
        self.things: dict[str, Things] = {}

    async def build(self) -> None:
        for admin in (owner, outsider):
            tenant_id = tenant_of(admin)
            if tenant_id == OTHER:
                tenant = Tenant(id=tenant_id, name=f"Fleet of {tenant_id}", created_at=NOW)
                await self.context.store.tenants.insert(tenant)
            self.things[tenant_id] = await self._furnish(admin, tenant_id)
        await self.context.intake.drain()

    async def stir(self, first: str, then: str) -> None:
        """Something happens in one tenant and then in the other: to an alert, and to a device."""
        self._turn += 1
        status = (DeviceStatus.ONLINE, DeviceStatus.OFFLINE)[self._turn % 2]
        news = {"status": status.value, "description": f"turn {self._turn}", "changed_at": NOW}
        for tenant_id in (first, then):
            found = await self.context.store.alerts.get(EVERY_TENANT, alert_id(tenant_id, "open", "owner"))
            assert found is not None
            await self._log.move(AlertEventType.COMMENTED, found, found)
            key = device_key(tenant_id, "till-1")
            await self.context.store.devices.change(only(tenant_id), key, news)
            self.hub.devices.touch([key])
            self.hub.health_wakes.wake(tenant_id)
            await self._tell(tenant_id)

    def kept(self, tenant_id: str | None) -> Documents:
        """Everything that is kept of a tenant; None is what the platform keeps for all."""
        if tenant_id is None:
            return {name: list(self._database[name].find(where)) for name, where in _PLATFORM.items()}
        where = {"$or": [{"tenant_id": tenant_id}, {"_id": tenant_id}, {"tenant_ids": tenant_id}]}
        return {name: list(self._database[name].find(where).sort("_id", 1)) for name in self._database.list_collection_names()}

    async def _furnish(self, admin: Principal, tenant_id: str) -> Things:
        for name, tenant_ids in (("bea", ["acme", OTHER]), (f"vera of {tenant_id}", [tenant_id])):
            await self.context.store.members.note(
                Member(id=name, email=None, role=Role.VIEWER, tenant_ids=tenant_ids, last_seen=NOW)
            )
        await save_site(self.context, admin, SiteInput(store_id="north", name=f"North of {tenant_id}"))
        key, _ = await create_api_key(self.context, admin, ApiKeyInput(name=f"Key of {tenant_id}", role=Role.VIEWER))
        for device_id in ("till-1", "till-2"):
            await self.context.store.devices.insert(_device(tenant_id, device_id))
            await record(self.context, admin, _beat(tenant_id, device_id))
        await note_metrics(self.context, lane_of(tenant_id))
        await self._alarm(tenant_id)
        webhook = WebhookInput(url="https://hooks.example.com/x", secret=f"a secret of {tenant_id}")
        wanted_channel = ChannelInput(name=f"Pager of {tenant_id}", config=webhook)
        channel = await create_channel(self.context, admin, wanted_channel)
        mail = EmailInput(to=("someone@example.com",))
        wanted_channel = ChannelInput(name=f"Own of {tenant_id}", config=mail, personal=True)
        personal = await create_channel(self.context, viewer if admin is owner else admin, wanted_channel)
        hot = MetricCondition(metric=queue(tenant_id), comparison=Comparison.GT, threshold=0)
        wanted = RuleInput(name=f"Hot of {tenant_id}", key="hot", severity=Severity.LOW, condition=hot, channel_ids=(channel.id,))
        rule = await create_rule(self.context, admin, None, wanted)
        await self.context.store.deliveries.insert([_dead(channel, who) for who in ("mate", "owner")])
        lane = lane_of(tenant_id)
        cursor = StreamCursor(await self.context.store.events.epoch(), 0, {lane: 0})
        own = msgspec.structs.replace(channel, id=f"{channel.id}-own", name=f"Phone of {tenant_id}", owner_id=admin.id)
        await self.context.store.channels.insert(own)
        [told_id] = [one for one in await self._tell(tenant_id) if one.endswith(f":{admin.id}")]
        return Things(tenant_id, rule.id, key.id, write_cursor(cursor), channel.id, personal.id, own.id, told_id)

    async def _tell(self, tenant_id: str) -> list[str]:
        """A tenant tells everybody something, whether they are in it or not; the ids of that."""
        people = [caller.id for caller in CALLERS.values() if caller.kind is PrincipalKind.PERSON]
        told = [
            InAppNotification(
                id=notification_id(f"{len(tenant_id)}-{self._turn}", user_id),
                tenant_id=tenant_id,
                user_id=user_id,
                at=NOW,
                title=f"Too hot: Till of {tenant_id}",
                body=f"Of {tenant_id}",
                severity=Severity.LOW,
                expire_at=NOW + timedelta(days=1),
            )
            for user_id in people
        ]
        await self.context.store.notifications.put(told)
        await self.context.bus.ring_notifications(people)
        return [one.id for one in told]

    async def _alarm(self, tenant_id: str) -> None:
        """Alerts in every state, for the mate and for the owner."""
        for number, who in enumerate(("owner", "mate"), 1):
            for state, status in STATES.items():
                fields: dict[str, Any] = {
                    "id": alert_id(tenant_id, state, who),
                    "tenant_id": tenant_id,
                    "subject_id": f"till-{number}",
                    "rule_key": "hot" if state == "open" else f"hot_{state}",
                    "title": f"Too hot: Till of {tenant_id}",
                    "store_id": "north",
                    "severity": Severity.MEDIUM,
                    "status": status,
                }
                if state == "open":
                    await opened(self.context, **fields)
                else:
                    await keep(self.context, an_alert(**fields))


def alert_id(tenant_id: str, state: str, who: str) -> str:
    # The tenant's name is not in it: what a caller wrote may come back in a message.
    return f"{len(tenant_id)}-{state}-{who}"


def betrays(shown: object, tenant_id: str) -> bool:
    """Whether anything of a tenant can be seen in it: its texts, its keys, or its id as a value."""
    text = json.dumps(shown, default=str)
    return any(mark in text for mark in (f"of {tenant_id}", f'"{tenant_id}:', f'"{tenant_id}"'))


def _beat(tenant_id: str, device_id: str) -> BeatInput:
    metrics = [Metric(queue(tenant_id), 1.0), Metric("shared", 1.0, f"of {tenant_id}")]
    return BeatInput(device_id=device_id, app_version=f"of {tenant_id}", cpu_usage=len(tenant_id), metrics=metrics)


def _dead(channel: Channel, who: str) -> Delivery:
    return Delivery(
        id=f"{len(channel.tenant_id)}-dead-{who}",
        tenant_id=channel.tenant_id,
        lane=lane_of(channel.tenant_id),
        seq=1,
        event="alert.opened",
        channel_id=channel.id,
        recipient=f"a receiver of {channel.tenant_id}",
        reason="a test",
        status=DeliveryStatus.DEAD,
        created_at=NOW,
        expire_at=NOW + timedelta(days=1),
        alert_id=alert_id(channel.tenant_id, "open", who),
        attempts=12,
    )


def _device(tenant_id: str, device_id: str) -> Device:
    return Device(
        id=device_key(tenant_id, device_id),
        tenant_id=tenant_id,
        device_id=device_id,
        lane=lane_of(tenant_id),
        status=DeviceStatus.ONLINE,
        since=NOW,
        created_at=NOW,
        offline_after=120,
        wake_after=120,
        store_id="north",
        kind="host",
        name=f"Till of {tenant_id}",
    )
