"""Correcting outages that late beats disprove, once for each, however often it is looked at and in whatever order they came."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from app.context import Context
from app.domain import lifecycle
from app.domain.alert import Alert, AlertEventType
from app.domain.late_truth import disproof
from app.domain.rule import AbsenceCondition
from app.domain.tenant import EVERY_TENANT, only
from app.rules import effective_rules
from app.store.heartbeats import LateSpan
from app.store.mongo import Session
from app.transitions import Writes, transact

MARK = "late_truth"
GROUP = 100
OVERLAP = timedelta(seconds=60)
"""How far a look reads back behind its mark: a beat is stored a little after it came. To look twice changes nothing."""

REACH = timedelta(minutes=10)
"""How far back the very first look reads."""


async def correct_lane(context: Context, lane: int) -> int:
    """Re-labels the outages that late beats of a lane disprove; how many."""
    now = context.clock.now()
    mark = await context.store.leases.watermark(MARK, lane)
    spans = await context.store.heartbeats.late_spans(lane, (mark or now - REACH) - OVERLAP, now)
    reasons = await _disproved(context, spans, now) if spans else {}
    ids, corrected = list(reasons), 0
    for start in range(0, len(ids), GROUP):
        corrected += await _correct(context, lane, ids[start : start + GROUP], reasons)
    if spans or mark is None or now - mark > OVERLAP:
        await context.store.leases.advance(MARK, lane, now)
    return corrected


async def _disproved(context: Context, spans: Sequence[LateSpan], now: datetime) -> dict[str, str]:
    """Alert id -> why it was no outage."""
    tenants = await context.store.tenants.get_many({span.tenant_id for span in spans})
    found: dict[str, str] = {}
    for tenant_id, rules in (await effective_rules(context, list(tenants.values()))).items():
        keys = [rule.key for rule in rules if isinstance(rule.condition, AbsenceCondition)]
        mine = {span.device_id: span for span in spans if span.tenant_id == tenant_id}
        start = min(span.start for span in mine.values())
        alerts = await context.store.alerts.outages(only(tenant_id), list(mine), keys, start, now)
        for alert in alerts:
            reason = await _disproof(context, alert, mine[alert.subject_id], now)
            found |= {} if reason is None else {alert.id: reason}
    return found


async def _disproof(context: Context, alert: Alert, span: LateSpan, now: datetime) -> str | None:
    after, end = alert.threshold, alert.resolved_at or now
    if after is None or (alert.details or {}).get("disproved"):
        return None
    heard = alert.first_seen - timedelta(seconds=after)
    if span.end < heard or span.start > end:
        return None
    beats = await context.store.heartbeats.window(alert.tenant_id, [alert.subject_id], heard - timedelta(milliseconds=1), end)
    return disproof(alert.first_seen, end, after, beats.get(alert.subject_id, []))


async def _correct(context: Context, lane: int, ids: Sequence[str], reasons: Mapping[str, str]) -> int:
    async def work(session: Session) -> Writes:
        now = context.clock.now()
        there = await context.store.alerts.get_many(EVERY_TENANT, ids, session=session)
        changes = [change for alert in there.values() for change in lifecycle.correct(alert, reasons[alert.id], now)]
        return Writes(changes=changes)

    events = await transact(context, lane, work)
    return sum(1 for event in events if event.type is AlertEventType.CORRECTED)
