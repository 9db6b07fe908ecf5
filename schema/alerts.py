"""Alerts, their timeline, and what people do with them, on the wire."""

from datetime import datetime
from typing import Annotated

import strawberry
from strawberry import ID, UNSET

from app import alerts
from app.domain import alert as domain
from app.domain.alert import AlertEventType, AlertStatus, Resolution, Severity
from app.domain.alert_filter import AlertFilter as Chosen
from app.domain.page import require_first
from app.domain.subject import SubjectKind
from app.store.alert_lists import AlertOrder
from schema.channels import Delivery, delivery
from schema.context import Info
from schema.devices import Device, device
from schema.given import given, given_or, listed
from schema.paging import Count, PageInfo, TimeRange, page_info
from schema.rules import AlertRule, alert_rule
from schema.scalars import JSON, Cursor
from schema.selection import selects


@strawberry.type
class AlertEvent:
    """One transition. The record comes first; every stream, notification and figure is derived from it."""

    id: ID
    cursor: Cursor
    type: AlertEventType
    at: datetime
    actor: str | None
    reason: str | None
    detail: JSON | None
    alert: "Alert | None"


@strawberry.type
class Alert:
    kept: strawberry.Private[domain.Alert]
    id: ID
    tenant_id: ID
    rule_key: str
    subject_kind: SubjectKind
    subject_id: ID
    store_id: ID | None
    severity: Severity
    status: AlertStatus
    title: str
    message: str
    value: float | None
    threshold: float | None
    unit: str | None
    first_seen: datetime
    last_seen: datetime
    occurrences: int
    acknowledged_at: datetime | None
    acknowledged_by: str | None
    acknowledged_until: datetime | None
    assignee: str | None
    resolved_at: datetime | None
    resolved_by: str | None
    resolution: Resolution | None
    resolution_note: str | None
    flapping: bool
    version: int
    runbook_url: str | None
    source: str | None
    dedup_key: str
    details: JSON | None
    suppressed_by: list[str] = strawberry.field(
        description='why nobody is told of it: "parent:" and the id of the alert that is told for many'
    )

    @strawberry.field
    async def rule(self, info: Info) -> AlertRule | None:
        rule = await info.context.loaders.rule.load((self.kept.tenant_id, self.kept.rule_key))
        return None if rule is None else alert_rule(rule, info.context.principal.scope)

    @strawberry.field
    async def device(self, info: Info) -> Device | None:
        key = domain.device_of(self.kept)
        found = None if key is None else await info.context.loaders.device.load(key)
        return None if found is None else device(found)

    @strawberry.field
    async def parent(self, info: Info) -> Annotated["Alert", strawberry.lazy("schema.alerts")] | None:
        found = await info.context.loaders.parent.load(self.kept)
        return None if found is None else alert(found)

    @strawberry.field
    async def children(self, info: Info, first: int | None = 50) -> list[Annotated["Alert", strawberry.lazy("schema.alerts")]]:
        wanted = given_or(first, 50)
        require_first(wanted)
        return [alert(one) for one in await info.context.loaders.children.load((self.kept, wanted))]

    @strawberry.field
    async def child_count(self, info: Info) -> int:
        return await info.context.loaders.child_count.load(self.kept)

    @strawberry.field
    async def deliveries(self, info: Info) -> list[Delivery]:
        found = await info.context.loaders.deliveries.load((self.kept.tenant_id, self.kept.id))
        return [delivery(one) for one in found]

    @strawberry.field
    def url(self, info: Info) -> str:
        return f"{info.context.context.settings.public_url}/alerts/{self.kept.id}"

    @strawberry.field
    async def timeline(self, info: Info, first: int | None = 100) -> list[AlertEvent]:
        wanted = given_or(first, 100)
        require_first(wanted, alerts.MOST_EVENTS)
        past = await info.context.loaders.timeline.load((self.kept, wanted))
        return [alert_event(one.event, one.cursor) for one in past]


@strawberry.input
class AlertFilter:
    tenant_id: ID | None = UNSET
    status: list[AlertStatus] | None = UNSET
    severity: list[Severity] | None = UNSET
    rule_keys: list[str] | None = UNSET
    store_ids: list[ID] | None = UNSET
    device_ids: list[ID] | None = UNSET
    assignee: str | None = UNSET
    search: str | None = UNSET
    range: TimeRange | None = UNSET
    include_suppressed: bool | None = strawberry.field(
        default=True, description="false leaves out what is folded under a parent: today this alone is suppressed"
    )


@strawberry.type
class AlertEdge:
    cursor: Cursor
    node: Alert


@strawberry.type
class AlertFacets:
    status: list[Count]
    severity: list[Count]
    rule: list[Count]
    store: list[Count]
    tenant: list[Count]


@strawberry.type
class AlertConnection:
    edges: list[AlertEdge]
    nodes: list[Alert]
    page_info: PageInfo
    stream_cursor: Cursor = strawberry.field(
        description="hand it to Subscription.alertEvents(after:) and nothing between is missed"
    )
    chosen: strawberry.Private[Chosen]

    @strawberry.field
    async def total_count(self, info: Info) -> int:
        return await alerts.count_alerts(info.context.context, info.context.principal, self.chosen)

    @strawberry.field
    async def facets(self, info: Info) -> AlertFacets:
        found = await alerts.alert_facets(info.context.context, info.context.principal, self.chosen)
        # Enums by their names, as the rest of the API has them.
        upper = ("status", "severity")
        return AlertFacets(
            **{
                name: [Count(key=key.upper() if name in upper else key, count=count) for key, count in counts]
                for name, counts in found.items()
            }
        )


@strawberry.type
class AlertQuery:
    @strawberry.field
    async def alert(self, info: Info, id: ID) -> Alert | None:  # noqa: A002
        found = await alerts.get_alert(info.context.context, info.context.principal, id)
        return None if found is None else alert(found)

    @strawberry.field
    async def alerts(
        self,
        info: Info,
        filter: AlertFilter | None = None,  # noqa: A002
        order_by: AlertOrder | None = AlertOrder.NEWEST,
        first: int | None = 50,
        after: Cursor | None = None,
    ) -> AlertConnection:
        context, principal = info.context.context, info.context.principal
        chosen, order = chosen_alerts(filter), order_by or AlertOrder.NEWEST
        # Before the list, so that what happens while it is read comes over the stream.
        wanted = any(selects(field.selections, "streamCursor") for field in info.selected_fields)
        cursor = await alerts.stream_cursor(context, principal) if wanted else ""
        page = await alerts.list_alerts(context, principal, chosen, order, given_or(first, 50), after)
        nodes = [alert(one) for one in page.items]
        edges = [AlertEdge(cursor=Cursor(place), node=node) for place, node in zip(page.cursors, nodes, strict=True)]
        return AlertConnection(
            edges=edges, nodes=nodes, page_info=page_info(page, after), stream_cursor=Cursor(cursor), chosen=chosen
        )


def alert(kept: domain.Alert) -> Alert:
    return Alert(
        kept=kept,
        id=ID(kept.id),
        tenant_id=ID(kept.tenant_id),
        rule_key=kept.rule_key,
        subject_kind=kept.subject_kind,
        subject_id=ID(kept.subject_id),
        store_id=None if kept.store_id is None else ID(kept.store_id),
        severity=kept.severity,
        status=kept.status,
        title=kept.title,
        message=kept.message,
        value=kept.value,
        threshold=kept.threshold,
        unit=kept.unit,
        first_seen=kept.first_seen,
        last_seen=kept.last_seen,
        occurrences=kept.occurrences,
        acknowledged_at=kept.acknowledged_at,
        acknowledged_by=kept.acknowledged_by,
        acknowledged_until=kept.acknowledged_until,
        assignee=kept.assignee,
        resolved_at=kept.resolved_at,
        resolved_by=kept.resolved_by,
        resolution=kept.resolution,
        resolution_note=kept.resolution_note,
        flapping=kept.flapping,
        version=kept.version,
        runbook_url=kept.runbook_url,
        source=kept.source,
        dedup_key=kept.dedup_key,
        details=None if kept.details is None else JSON(kept.details),
        suppressed_by=[] if kept.parent_id is None else [f"parent:{kept.parent_id}"],
    )


def alert_event(event: domain.AlertEvent, cursor: str) -> AlertEvent:
    return AlertEvent(
        id=ID(event.id),
        cursor=Cursor(cursor),
        type=event.type,
        at=event.at,
        actor=event.actor,
        reason=event.reason,
        detail=None if event.detail is None else JSON(event.detail),
        alert=alert(event.alert),
    )


def chosen_alerts(written: AlertFilter | None) -> Chosen:
    if written is None:
        return Chosen()
    values = {name: listed(value) for name, value in given(written).items() if value is not None}
    span: TimeRange | None = values.pop("range", None)
    if span is not None:
        values |= {"start": span.from_, "end": span.to}
    return Chosen(**values)
