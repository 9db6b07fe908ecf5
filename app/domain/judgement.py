"""From what was seen of a subject to what is to be written: the pure part of every tick, shared by all families."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec

from app.domain import lifecycle
from app.domain.alert import Alert, Change, Resolution
from app.domain.conditions.observation import Observation
from app.domain.ids import dedup_key, new_id
from app.domain.rule import Aggregation, MetricCondition, Rule, RuleState, state_id
from app.domain.stages import Action, Verdict, judge
from app.domain.subject import Subject


@dataclass(frozen=True, slots=True)
class Sighting:
    """What one rule saw of one subject, oldest first."""

    rule: Rule
    subject: Subject
    seen: Sequence[Observation]

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
        if judged is not None and seen.at <= judged and not seen.still:
            continue
        # At the time of the beat, not of the tick: what came later must not ripen what came before.
        verdict = judge(sighting.rule, remembered, seen, alert, seen.at)
        remembered = msgspec.structs.replace(verdict.state, judged_until=judged if seen.still else seen.at, updated_at=now)
        change = _change(sighting, verdict, seen, alert, now)
        if change is not None:
            changes.append(change)
            alert = change.after if change.after.live else None
    if not changes and _same(before, remembered):
        return [], None
    return changes, remembered


def _change(sighting: Sighting, verdict: Verdict, seen: Observation, alert: Alert | None, now: datetime) -> Change | None:
    if verdict.action is Action.OPEN:
        return lifecycle.open_alert(new_id(now), sighting.rule, sighting.subject, seen, first_seen=verdict.first_seen, now=now)
    if verdict.action is Action.REPEAT and alert is not None:
        return lifecycle.repeat(alert, seen, now)
    if verdict.action is Action.RESOLVE and alert is not None:
        return lifecycle.resolve(alert, None, seen.reason, Resolution.RECOVERED, now)
    return None


def _same(before: RuleState, after: RuleState) -> bool:
    """Whether nothing moved that another look would need: a new value alone is not worth a write."""
    told = ("value", "reason", "judged_until", "updated_at")
    return before == msgspec.structs.replace(after, **{field: getattr(before, field) for field in told})
