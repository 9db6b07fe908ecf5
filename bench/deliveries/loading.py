"""What there is to tell: tenants, their channels, and alerts that open as they do in the product."""

import asyncio
from collections.abc import Iterable

from app.channels.ways import open_ways
from app.context import Context
from app.domain.alert import SEVERITY_RANK, Alert, AlertEventType, AlertStatus, Change, Severity
from app.domain.channel import Channel, ChannelConfig, ChannelKind, EmailConfig, SlackConfig, WebhookConfig
from app.domain.delivery import Delivery
from app.domain.ids import dedup_key, lane_of
from app.domain.subject import SubjectKind
from app.domain.tenant import Tenant, only
from app.sealing import seal
from app.store.mongo import Session
from app.transitions import Writes, transact

RECEIVED = (ChannelKind.WEBHOOK, ChannelKind.SLACK, ChannelKind.EMAIL)
"""What the far ends take."""

GROUP = 50
SECRET = "a key for the bench 0123456789"


async def kinds_here(context: Context) -> list[ChannelKind]:
    """Those that the product can send by and the far ends can take."""
    async with open_ways(context.settings) as ways:
        return [kind for kind in RECEIVED if kind in ways]


async def add_tenant(context: Context, tenant_id: str) -> None:
    await context.store.tenants.insert(Tenant(id=tenant_id, name=tenant_id, created_at=context.clock.now()))


async def add_channel(context: Context, tenant_id: str, kind: ChannelKind, number: int, far: str, rare: bool = False) -> None:
    """`rare` hears of CRITICAL alone."""
    place = f"{tenant_id}-{number}"
    channel = Channel(
        id=f"{kind.value}-{place}",
        tenant_id=tenant_id,
        name=f"{kind.value} {number}",
        kind=kind,
        target=place,
        sealed=seal(context.settings, _config(kind, place, far)),
        created_at=context.clock.now(),
        to=(f"{place}@example.com",) if kind is ChannelKind.EMAIL else None,
        severities=(Severity.CRITICAL,) if rare else (),
    )
    await context.store.channels.insert(channel)


async def open_alerts(context: Context, alerts: Iterable[tuple[str, str, Severity]]) -> None:
    """Opens alerts of (tenant, id, severity), in transactions as a worker writes them."""
    by_lane: dict[int, list[tuple[str, str, Severity]]] = {}
    for one in alerts:
        by_lane.setdefault(lane_of(one[0]), []).append(one)

    async def load(lane: int, group: list[tuple[str, str, Severity]]) -> None:
        for start in range(0, len(group), GROUP):
            await _open(context, lane, group[start : start + GROUP])

    await asyncio.gather(*(load(lane, group) for lane, group in by_lane.items()))


async def rows(context: Context, tenant_ids: Iterable[str], alert_ids: Iterable[str]) -> list[Delivery]:
    """The deliveries of these alerts."""
    found: list[Delivery] = []
    wanted = sorted(set(alert_ids))
    for tenant_id in tenant_ids:
        for start in range(0, len(wanted), 200):
            many = await context.store.deliveries.of_alerts(only(tenant_id), wanted[start : start + 200])
            found += [one for of_alert in many.values() for one in of_alert]
    return found


async def _open(context: Context, lane: int, group: list[tuple[str, str, Severity]]) -> None:
    async def work(_: Session) -> Writes:
        now = context.clock.now()
        alerts = [_alert(context, *one) for one in group]
        return Writes([Change(type=AlertEventType.OPENED, at=now, before=None, after=alert) for alert in alerts])

    await transact(context, lane, work)


def _alert(context: Context, tenant_id: str, alert_id: str, severity: Severity) -> Alert:
    now = context.clock.now()
    return Alert(
        id=alert_id,
        tenant_id=tenant_id,
        rule_key="bench",
        dedup_key=dedup_key("bench", SubjectKind.DEVICE.value, alert_id),
        subject_kind=SubjectKind.DEVICE,
        subject_id=alert_id,
        severity=severity,
        severity_rank=SEVERITY_RANK[severity],
        status=AlertStatus.OPEN,
        live=True,
        title=f"Bench: {alert_id}",
        message="opened by the bench",
        first_seen=now,
        last_seen=now,
        source="bench",  # what no rule opened, no rule ends
    )


def _config(kind: ChannelKind, place: str, far: str) -> ChannelConfig:
    if kind is ChannelKind.SLACK:
        return SlackConfig(webhook_url=f"{far}/slack/{place}")
    if kind is ChannelKind.EMAIL:
        return EmailConfig(to=(f"{place}@example.com",))
    return WebhookConfig(url=f"{far}/webhook/{place}", secret=SECRET)
