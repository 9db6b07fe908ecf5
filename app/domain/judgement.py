"""From what was seen of a subject to what is to be written: the pure part of every tick, shared by all families."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec

from app.domain import lifecycle
from app.domain.alert import Alert, Change, Resolution
from app.domain.conditions.observation import Nothing, Observation, Seen
from app.domain.ids import dedup_key, new_id
from app.domain.rule import Aggregation, MetricCondition, Rule, RuleState, state_id
from app.domain.stages import NOBODY, Action, Around, Verdict, judge
from app.domain.subject import Subject


@dataclass(frozen=True, slots=True)
class Sighting:
    """What one rule saw of one subject, oldest first."""

    rule: Rule
    subject: Subject
    seen: Sequence[Seen]
    around: Around = NOBODY

    @property
    def state_id(self) -> str:
        return state_id(self.subject.tenant_id, self.rule.key, self.subject.kind, self.subject.id)

    @property
    def alert_key(self) -> tuple[str, str]:
        return self.subject.tenant_id, dedup_key(self.rule.key, self.subject.kind.value, self.subject.id)


def blank_state(rule: Rule, subject: Subject) -> RuleState:
    return RuleState(
        id=state_id(subject.tenant_id, rule.key, subject.kind, subject.id),
        tenant_id=subject.tenant_id,
        lane=subject.lane,
        rule_key=rule.key,
        subject_id=subject.id,
        subject_kind=subject.kind,
        family=family_of(rule),
        windowed=isinstance(rule.condition, MetricCondition) and rule.condition.aggregation is not Aggregation.LAST,
    )


def family_of(rule: Rule) -> str:
    """The name of a rule's family of conditions, as it is stored."""
    return str(rule.condition.__struct_config__.tag)


def decide(
    sighting: Sighting, state: RuleState | None, live: Alert | None, now: datetime
) -> tuple[list[Change], RuleState | None]:
    """The changes that a sighting causes, and the state to keep; None where there is nothing new to remember."""
    before = state or blank_state(sighting.rule, sighting.subject)
    remembered, alert, changes = before, live, list[Change]()
    for seen in sighting.seen:
        judged = remembered.judged_until
        is_new = isinstance(seen, Observation) and not seen.still
        at = seen.at if isinstance(seen, Observation) else now
        if is_new and judged is not None and at <= judged:
            continue
        # At the time of the beat, not of the tick: what came later must not ripen what came before.
        verdict = judge(sighting.rule, remembered, seen, alert, at, sighting.around)
        remembered = msgspec.structs.replace(verdict.state, judged_until=at if is_new else judged, updated_at=now)
        for change in _changes(sighting, verdict, seen, alert, now):
            changes.append(change)
            alert = change.after if change.after.live else None
    if not changes and _same(before, remembered, now):
        return [], None
    return changes, remembered


def _changes(sighting: Sighting, verdict: Verdict, seen: Seen, alert: Alert | None, now: datetime) -> Iterator[Change]:
    if verdict.action is Action.OPEN:
        yield lifecycle.open_alert(new_id(now), sighting.rule, sighting.subject, seen, verdict, now)
    if alert is None:
        return
    if verdict.action is Action.RESOLVE:
        kind = Resolution.NO_DATA if isinstance(seen, Nothing) else Resolution.RECOVERED
        yield lifecycle.resolve(alert, None, verdict.steps[-1].reason, kind, now)
        return
    if verdict.state.firing and alert.severity is not sighting.rule.severity:
        change = lifecycle.change_severity(alert, sighting.rule.severity, now)
        yield change
        alert = change.after
    if alert.flapping is not verdict.state.flapping:
        change = lifecycle.flap(alert, verdict.state.flapping, now)
        yield change
        alert = change.after
    if verdict.action is Action.REPEAT and isinstance(seen, Observation):
        repeated = lifecycle.repeat(alert, seen, now)
        if repeated is not None:
            yield repeated


def _same(before: RuleState, after: RuleState, now: datetime) -> bool:
    """Whether nothing moved that another look would need: a new value alone is not worth a write, nor is a later wake-up."""
    told = ("value", "reason", "judged_until", "heard_at", "watch_until", "next_due", "updated_at")
    if before != msgspec.structs.replace(after, **{field: getattr(before, field) for field in told}):
        return False
    if before.next_due == after.next_due:
        return True
    # It is woken early, finds nothing, and sleeps on: cheaper than a write for every beat.
    return before.next_due is not None and after.next_due is not None and now < before.next_due < after.next_due
