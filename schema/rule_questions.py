"""What people ask of rules before and after they trust them, on the wire."""

from collections.abc import Sequence
from datetime import datetime

import strawberry
from strawberry import ID

from app import backtest, rule_trial
from app.domain.replay import ReplayedAlert
from schema.context import Info
from schema.paging import Count, TimeRange
from schema.rules import AlertRuleInput, rule_input


@strawberry.type
class RuleMatch:
    subject: str
    value: float | None
    threshold: float | None
    reason: str


@strawberry.type
class RuleTestResult:
    would_fire: bool
    matches: list[RuleMatch]
    evaluated_at: datetime
    subjects: int


@strawberry.type
class BacktestAlert:
    subject: str
    fired_at: datetime
    resolved_at: datetime | None
    peak: float | None
    reason: str


@strawberry.type
class BacktestDelta:
    alerts_before: int
    alerts_after: int
    notifications_before: int
    notifications_after: int
    only_before: list[BacktestAlert]
    only_after: list[BacktestAlert]


@strawberry.type
class Backtest:
    from_: datetime = strawberry.field(name="from")
    to: datetime
    evaluations: int
    alerts: list[BacktestAlert]
    notifications: int
    notifications_by_recipient: list[Count] = strawberry.field(
        description="messages by the channels and preferences of today, the most first: a shared channel by its name, each address of "
        "which gets as many; a person by their id, for their own channels. A burst, and what quiet hours hold back, is the few "
        "messages that it would be"
    )
    compared_with: BacktestDelta | None
    exact_from: datetime | None = strawberry.field(
        description="from when on every heartbeat is still kept; before it five minutes stand for one reading; null: all is exact"
    )


@strawberry.type
class RuleQuestionQuery:
    @strawberry.field
    async def test_alert_rule(
        self,
        info: Info,
        tenant_id: ID | None = None,
        rule: AlertRuleInput | None = None,
        id: ID | None = None,  # noqa: A002
    ) -> RuleTestResult:
        wanted = None if rule is None else rule_input(rule)
        tried = await rule_trial.try_rule(info.context.context, info.context.principal, tenant_id, wanted, id)
        matches = [
            RuleMatch(subject=one.subject.id, value=one.value, threshold=one.threshold, reason=one.reason)
            for one in tried.matches
        ]
        return RuleTestResult(
            would_fire=tried.would_fire, matches=matches, evaluated_at=tried.evaluated_at, subjects=tried.subjects
        )

    @strawberry.field
    async def backtest_alert_rule(
        self,
        info: Info,
        rule: AlertRuleInput,
        range: TimeRange,  # noqa: A002
        tenant_id: ID | None = None,
        against: ID | None = None,
    ) -> Backtest:
        context, principal = info.context.context, info.context.principal
        found = await backtest.backtest_rule(context, principal, tenant_id, rule_input(rule), (range.from_, range.to), against)
        return _backtest(found)


def _backtest(found: backtest.Backtest) -> Backtest:
    return Backtest(
        from_=found.start,
        to=found.end,
        evaluations=found.run.looks,
        alerts=_alerts(found.run.alerts),
        notifications=found.run.notifications,
        notifications_by_recipient=[Count(key=key, count=count) for key, count in found.by_recipient],
        compared_with=None if found.compared is None else _delta(found.compared),
        exact_from=found.exact_from,
    )


def _delta(found: backtest.Delta) -> BacktestDelta:
    return BacktestDelta(
        alerts_before=len(found.before.alerts),
        alerts_after=len(found.after.alerts),
        notifications_before=found.before.notifications,
        notifications_after=found.after.notifications,
        only_before=_alerts(found.only_before),
        only_after=_alerts(found.only_after),
    )


def _alerts(found: Sequence[ReplayedAlert]) -> list[BacktestAlert]:
    return [
        BacktestAlert(
            subject=one.subject.id, fired_at=one.fired_at, resolved_at=one.resolved_at, peak=one.peak, reason=one.reason
        )
        for one in found[: backtest.MOST_ALERTS]
    ]
