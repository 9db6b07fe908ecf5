"""What a rule would have done: replayed over the history of its subjects, and compared with another rule."""

import asyncio
import bisect
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from app.channel_access import check_shared
from app.context import Context
from app.domain.faults import Faults
from app.domain.replay import Grid, Replay, ReplayedAlert
from app.domain.rule import AbsenceCondition, AnomalyCondition, CountCondition, Rule, ServiceCondition
from app.domain.rule_input import RuleInput
from app.domain.stages import Around
from app.domain.subject import Subject
from app.domain.tenant import Role, Tenant, most_alerts_per_hour
from app.foretold import foretold
from app.past import Past, Pasts, SeenPast, kept_from, warm_up
from app.past_beats import anomaly_histories, beat_histories
from app.past_events import count_histories
from app.principal import Principal, write_tenant
from app.rule_trial import rule_by_id, trial_rule
from app.settings import Settings
from app.tenants import known_tenant

LONGEST = timedelta(days=30)
MOST_ALERTS = 1_000
"""Alerts that are shown; all of them are counted."""

LOOKS_AT_ONCE = 1_000
"""After so many looks others have their turn."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Run:
    """What one rule did: `alerts` that were live in the time asked for, by when they fired, and how often somebody was told."""

    alerts: Sequence[ReplayedAlert]
    notifications: int
    looks: int


@dataclass(frozen=True, slots=True)
class Delta:
    before: Run
    after: Run
    only_before: Sequence[ReplayedAlert]
    only_after: Sequence[ReplayedAlert]


@dataclass(frozen=True, slots=True)
class Backtest:
    """`by_recipient` is how many messages each would have got, by today's channels and preferences: a shared channel by its name, a
    person by their id. `exact_from` is from when on every beat is still kept; before it stands what five minutes were summed up to."""

    start: datetime
    end: datetime
    run: Run
    by_recipient: Sequence[tuple[str, int]]
    compared: Delta | None
    exact_from: datetime | None


async def backtest_rule(
    context: Context,
    principal: Principal,
    tenant_id: str | None,
    wanted: RuleInput,
    span: tuple[datetime, datetime],
    against: str | None,
) -> Backtest:
    """Replays a rule over at most 30 days; with `against`, also the rule of that id, which comes before."""
    tenant_id = write_tenant(principal, tenant_id, Role.VIEWER)
    now, faults = context.clock.now(), Faults()
    _check_span(span, now, faults)
    rule = trial_rule(tenant_id, wanted, now, faults)
    if isinstance(rule.condition, ServiceCondition):
        faults.add("rule.condition.service", _NO_HISTORY)
    await check_shared(context, tenant_id, rule.channel_ids, "rule.channelIds", faults)
    faults.refuse()
    tenant = await known_tenant(context, tenant_id)
    other = None if against is None else await rule_by_id(context, tenant, against)
    if other is not None and isinstance(other.condition, ServiceCondition):
        faults.add("against", _NO_HISTORY)
        faults.refuse()
    after = await run_rule(context, tenant, rule, span, now)
    before = None if other is None else await run_rule(context, tenant, other, span, now)
    start, end = span
    compared = None if before is None else _compared(before, after)
    exact_from = kept_from(tenant, rule, now)
    by_recipient = await foretold(context, rule, after.alerts, span)
    return Backtest(start, end, after, by_recipient, compared, exact_from if start < exact_from else None)


_NO_HISTORY = "services keep no history yet, so their rules cannot be replayed"


def _check_span(span: tuple[datetime, datetime], now: datetime, faults: Faults) -> None:
    start, end = span
    faults.require(start < end, "range", "must begin before it ends")
    faults.require(end <= now, "range.to", "must not be in the future")
    faults.require(end - start <= LONGEST, "range", f"is longer than {LONGEST.days} days")


async def run_rule(context: Context, tenant: Tenant, rule: Rule, span: tuple[datetime, datetime], now: datetime) -> Run:
    """One rule over a tenant's history in `span`, with what was before where that matters."""
    start, end = span
    past = Past(context, tenant, start - warm_up(rule), end, kept_from(tenant, rule, now))
    grid = grid_of(context.settings, rule)
    alerts: list[ReplayedAlert] = []
    looks = 0
    async for seen in _histories(past, rule):
        replay = await _replayed(rule, tenant, seen, grid, end)
        alerts += [alert for alert in replay.alerts if alert.resolved_at is None or alert.resolved_at >= start]
        looks += replay.looks
    alerts.sort(key=lambda alert: (alert.fired_at, alert.subject.id))
    return Run(alerts, sum(start <= at <= end for alert in alerts for at in alert.tellings), looks)


def _histories(past: Past, rule: Rule) -> Pasts:
    if isinstance(rule.condition, CountCondition):
        return count_histories(past, rule)
    if isinstance(rule.condition, AnomalyCondition):
        return anomaly_histories(past, rule)
    return beat_histories(past, rule)


async def _replayed(rule: Rule, tenant: Tenant, seen: SeenPast, grid: Grid, end: datetime) -> Replay:
    around = Around(most_per_hour=most_alerts_per_hour(rule, tenant), silent_after=seen.silent_after)
    replay = Replay(rule, seen.subject, seen.history, grid, end, around)
    more = True
    while more:
        more = replay.run(LOOKS_AT_ONCE)
        await asyncio.sleep(0)
    return replay


def grid_of(settings: Settings, rule: Rule) -> Grid:
    """When the tick that judges this rule looks: the sweep judges silence."""
    sweeps = isinstance(rule.condition, AbsenceCondition)
    return Grid(_EPOCH, timedelta(seconds=settings.deadline_sweep_seconds if sweeps else settings.rule_tick_seconds))


def _compared(before: Run, after: Run) -> Delta:
    return Delta(before, after, _missing(before.alerts, after.alerts), _missing(after.alerts, before.alerts))


def _missing(mine: Sequence[ReplayedAlert], theirs: Sequence[ReplayedAlert]) -> list[ReplayedAlert]:
    """Those of mine that overlap none of theirs on the same subject."""
    by_subject: dict[tuple[str, str], list[ReplayedAlert]] = {}
    for alert in theirs:
        by_subject.setdefault(_key(alert.subject), []).append(alert)
    return [alert for alert in mine if not _overlaps_any(alert, by_subject.get(_key(alert.subject), []))]


def _overlaps_any(alert: ReplayedAlert, others: Sequence[ReplayedAlert]) -> bool:
    """`others` of the same subject follow each other, so only the last one that fired before the end can overlap."""
    if alert.resolved_at is None:
        place = len(others)
    else:
        place = bisect.bisect_right(others, alert.resolved_at, key=lambda other: other.fired_at)
    if place == 0:
        return False
    ended = others[place - 1].resolved_at
    return ended is None or ended >= alert.fired_at


def _key(subject: Subject) -> tuple[str, str]:
    return subject.kind.value, subject.id
