"""Batched reads of one operation: what a list's entries have in common is asked for once."""

from collections.abc import Sequence
from datetime import datetime

from strawberry.dataloader import DataLoader

from app.alerts import PastEvent, timelines
from app.channel_access import channels_of, shared_channels
from app.context import Context
from app.deliveries import deliveries_of
from app.devices import health_of
from app.domain.alert import Alert
from app.domain.beat import Beat, HealthStatus
from app.domain.channel import Channel
from app.domain.delivery import Delivery
from app.domain.device import Device
from app.domain.rule import Rule
from app.domain.tenant import Scope
from app.domain.uptime import Uptime
from app.principal import Principal
from app.rules import Asked, count_live, rules_of
from app.uptime import uptimes


class Loaders:
    """A loader for each question. Keys are of things that the caller has been given, so their scope is theirs."""

    def __init__(self, context: Context, principal: Principal) -> None:
        self._context = context
        self._principal = principal
        self.clear()

    def clear(self) -> None:
        """Forgets what was read: each event of a stream shows what is."""
        self.device: DataLoader[str, Device | None] = DataLoader(self._devices)
        self.latest: DataLoader[str, Beat | None] = DataLoader(self._latest)
        self.health: DataLoader[Device, HealthStatus] = DataLoader(self._health, cache_key_fn=lambda device: device.id)
        self.open_alerts: DataLoader[str, list[Alert]] = DataLoader(self._open_alerts)
        self.timeline: DataLoader[tuple[Alert, int], list[PastEvent]] = DataLoader(
            self._timelines, cache_key_fn=lambda asked: (asked[0].id, asked[1])
        )
        self.parent: DataLoader[Alert, Alert | None] = DataLoader(self._parents, cache_key_fn=lambda alert: alert.id)
        self.children: DataLoader[tuple[Alert, int], list[Alert]] = DataLoader(
            self._children, cache_key_fn=lambda asked: (asked[0].id, asked[1])
        )
        self.child_count: DataLoader[Alert, int] = DataLoader(self._child_counts, cache_key_fn=lambda alert: alert.id)
        self.uptime: DataLoader[tuple[Device, datetime, datetime], Uptime] = DataLoader(
            self._uptimes, cache_key_fn=lambda asked: (asked[0].id, *asked[1:])
        )
        self.rule: DataLoader[tuple[str, str], Rule | None] = DataLoader(self._rules)
        self.deliveries: DataLoader[tuple[str, str], list[Delivery]] = DataLoader(self._deliveries)
        self.channel: DataLoader[tuple[str, str], Channel | None] = DataLoader(self._channels)
        self.shared_channels: DataLoader[str, list[Channel]] = DataLoader(self._shared_channels)
        self.live_of_rule: DataLoader[Asked, int] = DataLoader(self._live_of_rules)

    async def _devices(self, keys: list[str]) -> Sequence[Device | None]:
        found = await self._context.store.devices.get_many(_scope_of(keys), keys)
        return [found.get(key) for key in keys]

    async def _latest(self, keys: list[str]) -> Sequence[Beat | None]:
        found = await self._context.store.heartbeats.latest(_scope_of(keys), [_pair(key) for key in keys])
        return [found.get(key) for key in keys]

    async def _health(self, devices: list[Device]) -> Sequence[HealthStatus]:
        found = await health_of(self._context, devices)
        return [found[device.id] for device in devices]

    async def _open_alerts(self, keys: list[str]) -> Sequence[list[Alert]]:
        found = await self._context.store.alerts.live_of_devices(_scope_of(keys), keys)
        return [found.get(key, []) for key in keys]

    async def _timelines(self, asked: list[tuple[Alert, int]]) -> Sequence[list[PastEvent]]:
        return await timelines(self._context, asked)

    async def _parents(self, alerts: list[Alert]) -> Sequence[Alert | None]:
        ids = sorted({alert.parent_id for alert in alerts if alert.parent_id is not None})
        found = await self._context.store.alerts.get_many(_tenants_of(alerts), ids) if ids else {}
        return [None if alert.parent_id is None else found.get(alert.parent_id) for alert in alerts]

    async def _children(self, asked: list[tuple[Alert, int]]) -> Sequence[list[Alert]]:
        scope, most = _tenants_of([alert for alert, _ in asked]), max(first for _, first in asked)
        found = await self._context.store.folds.children(scope, [alert.id for alert, _ in asked], most)
        return [found.get(alert.id, [])[:first] for alert, first in asked]

    async def _child_counts(self, alerts: list[Alert]) -> Sequence[int]:
        found = await self._context.store.folds.child_counts(_tenants_of(alerts), [alert.id for alert in alerts])
        return [found.get(alert.id, 0) for alert in alerts]

    async def _uptimes(self, asked: list[tuple[Device, datetime, datetime]]) -> Sequence[Uptime]:
        found: dict[tuple[str, datetime, datetime], Uptime] = {}
        for start, end in {(start, end) for _, start, end in asked}:
            devices = [device for device, *span in asked if span == [start, end]]
            of_range = await uptimes(self._context, devices, start, end)
            found |= {(key, start, end): one for key, one in of_range.items()}
        return [found[device.id, start, end] for device, start, end in asked]

    async def _rules(self, keys: list[tuple[str, str]]) -> Sequence[Rule | None]:
        return await rules_of(self._context, keys)

    async def _deliveries(self, asked: list[tuple[str, str]]) -> Sequence[list[Delivery]]:
        return await deliveries_of(self._context, asked)

    async def _channels(self, asked: list[tuple[str, str]]) -> Sequence[Channel | None]:
        return await channels_of(self._context, self._principal, asked)

    async def _shared_channels(self, tenant_ids: list[str]) -> Sequence[list[Channel]]:
        return await shared_channels(self._context, tenant_ids)

    async def _live_of_rules(self, asked: list[Asked]) -> Sequence[int]:
        return await count_live(self._context, asked)


def _pair(key: str) -> tuple[str, str]:
    tenant_id, _, device_id = key.partition(":")
    return tenant_id, device_id


def _tenants_of(alerts: Sequence[Alert]) -> Scope:
    return Scope(frozenset(alert.tenant_id for alert in alerts))


def _scope_of(keys: Sequence[str]) -> Scope:
    return Scope(frozenset(_pair(key)[0] for key in keys))
