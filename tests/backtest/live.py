"""Living through a history tick by tick, and living through it again in a backtest."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from app.backtest import Run, run_rule
from app.domain.alert import AlertEventType
from app.domain.ids import new_id
from app.domain.operational_event import EventKind, EventOutcome, OperationalEvent, additions
from app.domain.rule import Rule
from app.domain.tenant import only
from app.evaluation import refresh_wake_ups
from app.store.mongo import Session
from app.tenants import known_tenant
from tests.evaluation.fleet import Fleet

SWEEP_SEC = 5
JUDGE_SEC = 10
MINUTE = 60
TILL = "till-1"

Lived = list[tuple[str, datetime, datetime | None]]
"""Subject, when it fired, when it ended."""


@dataclass(frozen=True)
class Said:
    """A beat `at` so many seconds after the beginning; `late` is how many seconds before that it was sent."""

    at: int
    cpu: float | None
    late: int = 0


_EMPTIED = (
    *("provider_alerts", "alert_events", "rule_states", "alert_rules", "leases", "devices", "device_heartbeats"),
    *("operational_events", "event_counts", "heartbeat_rollups"),
)


@dataclass(frozen=True)
class Sold:
    """Events `at` so many seconds after the beginning, which were `late` seconds on their way."""

    at: int
    good: int
    bad: int
    store: str | None
    late: int = 0


async def begin(fleet: Fleet, rules: Sequence[Rule], offline_after: int) -> datetime:
    """As if nothing had been before, but for time; when it begins, which is at a tick."""
    for name in _EMPTIED:
        await fleet.context.mongo.database[name].delete_many({})
    for rule in rules:
        await fleet.context.store.rules.insert(rule)
    await fleet.add(TILL, offline_after=offline_after)
    await refresh_wake_ups(fleet.context, only(fleet.tenant_id))
    while fleet.clock.now().timestamp() % fleet.context.settings.rule_tick_seconds:
        await fleet.pass_time(1)
    return fleet.clock.now()


async def live_through(fleet: Fleet, beats: Sequence[Said], seconds: int) -> None:
    """Every beat at its time and every tick at its: first the beats, then the sweep, then the rules."""
    start = fleet.clock.now()
    ticks = {*range(0, seconds + 1, SWEEP_SEC)}
    for moment in sorted({*ticks, *(beat.at for beat in beats)}):
        await fleet.pass_time((start + timedelta(seconds=moment) - fleet.clock.now()).total_seconds())
        for beat in (beat for beat in beats if beat.at == moment):
            sent_at = fleet.clock.now() - timedelta(seconds=beat.late) if beat.late else None
            await fleet.beat(TILL, cpu_usage=beat.cpu, sent_at=sent_at)
        if moment % SWEEP_SEC == 0:
            await fleet.sweep()
        if moment % JUDGE_SEC == 0:
            await fleet.judge()


async def lived(fleet: Fleet, rule: Rule, since: datetime) -> Lived:
    events = [event for event in await fleet.record() if event.alert.rule_key == rule.key and event.at >= since]
    ends = {event.alert_id: event.at for event in events if event.type is AlertEventType.RESOLVED}
    opened = [event for event in events if event.type is AlertEventType.OPENED]
    return [(event.alert.subject_id, event.at, ends.get(event.alert_id)) for event in opened]


async def replayed(fleet: Fleet, rule: Rule, since: datetime) -> Run:
    now = fleet.clock.now()
    tenant = await known_tenant(fleet.context, fleet.tenant_id)
    return await run_rule(fleet.context, tenant, rule, (since, now), now)


def times(run: Run) -> Lived:
    return [(alert.subject.id, alert.fired_at, alert.resolved_at) for alert in run.alerts]


async def sell_through(fleet: Fleet, sales: Sequence[Sold], seconds: int) -> None:
    """Every event at its time, and a tick of the rules each minute behind those of its moment."""
    start = fleet.clock.now()
    for moment in sorted({*range(0, seconds + 1, MINUTE), *(sold.at for sold in sales)}):
        fleet.clock.advance((start + timedelta(seconds=moment) - fleet.clock.now()).total_seconds())
        for sold in (sold for sold in sales if sold.at == moment):
            await _sell(fleet, sold)
        if moment % MINUTE == 0:
            await fleet.judge()


async def _sell(fleet: Fleet, sold: Sold) -> None:
    now = fleet.clock.now()
    events = [
        OperationalEvent(
            id=new_id(now),
            tenant_id=fleet.tenant_id,
            lane=fleet.lane,
            kind=EventKind.SALE,
            outcome=outcome,
            at=now - timedelta(seconds=sold.late),
            received_at=now,
            expire_at=now + timedelta(days=30),
            count=count,
            store_id=sold.store,
            device_id=TILL,
        )
        for outcome, count in ((EventOutcome.SUCCESS, sold.good), (EventOutcome.FAILURE, sold.bad))
        if count
    ]

    async def work(session: Session) -> None:
        await fleet.context.store.operational_events.insert(events, session)
        await fleet.context.store.event_counts.add(additions(events), now, session)

    await fleet.context.mongo.transaction(work)
