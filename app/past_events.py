"""Reading what was counted in the past: operational events, and before they are kept their five-minute counts."""

import asyncio
from collections.abc import Sequence
from datetime import datetime

from app.domain.count_history import Arrival, CountHistory
from app.domain.counts import BUCKET, bucket_start
from app.domain.operational_event import EventOutcome, OperationalEvent, places_of
from app.domain.rule import CountCondition, Rule, counted_for
from app.domain.subject import SubjectKind
from app.errors import TooComplexError
from app.past import Past, Pasts, SeenPast, looks_back
from app.present import Present
from app.rule_tick import OVERLAP
from app.tallies import Place, subjects_at

MOST_EVENTS = 1_000_000
"""Events that one question may read: they are held in memory until their place is looked at."""

AT_ONCE = 1_000


async def count_histories(past: Past, rule: Rule) -> Pasts:
    """For rules of counts, place by place. Raises TooComplexError, before it begins, where there are too many events."""
    condition = rule.condition
    assert isinstance(condition, CountCondition)
    store, tenant_id = past.context.store, past.tenant.id
    first = past.start - looks_back(rule)
    count = await store.operational_events.how_many(tenant_id, condition.event, first, past.end, MOST_EVENTS + 1)
    if count > MOST_EVENTS:
        raise TooComplexError(f"that would read more than {MOST_EVENTS:,} events: take a shorter range")
    arrivals = await _arrivals(past, rule, condition)
    look = Present(past.context, past.tenant, rule, {}).look()
    subjects = await subjects_at(look, tenant_id, rule, condition, arrivals)
    known_from = await store.event_counts.known_from(tenant_id)
    for place, (subject, zone) in subjects.items():
        older = await _older(past, rule, condition, place)
        yield SeenPast(subject, CountHistory(condition, [*older, *arrivals.pop(place)], zone, OVERLAP, known_from))


async def _arrivals(past: Past, rule: Rule, condition: CountCondition) -> dict[Place, list[Arrival]]:
    """What came, at each place that the rule may look at."""
    wanted = counted_for(rule, condition)
    kinds = (SubjectKind.STORE, SubjectKind.TENANT) if wanted is None else (wanted,)
    found: dict[Place, list[Arrival]] = {}
    events = past.context.store.operational_events.past(past.tenant.id, condition.event, _raw_from(past, rule), past.end)
    read = 0
    async for event in events:
        arrival = _arrival(event)
        for place in places_of(event):
            if place[0] in kinds:
                found.setdefault(place, []).append(arrival)
        read += 1
        if read % AT_ONCE == 0:
            await asyncio.sleep(0)
    return found


async def _older(past: Past, rule: Rule, condition: CountCondition, place: Place) -> Sequence[Arrival]:
    """What was counted before events are kept: all of five minutes at their end."""
    first, until = past.start - looks_back(rule), _raw_from(past, rule)
    if first >= until:
        return []
    kind, subject_id = place
    found = await past.context.store.event_counts.window(
        past.tenant.id, kind, [subject_id], condition.event, first, until - BUCKET
    )
    return [Arrival(start + BUCKET, start, tally.success, tally.failure) for start, tally in found.get(subject_id, {}).items()]


def _raw_from(past: Past, rule: Rule) -> datetime:
    first = past.start - looks_back(rule)
    return first if first >= past.kept_from else bucket_start(past.kept_from) + BUCKET


def _arrival(event: OperationalEvent) -> Arrival:
    good = event.outcome is EventOutcome.SUCCESS
    return Arrival(event.received_at, bucket_start(event.at), event.count if good else 0, 0 if good else event.count)
