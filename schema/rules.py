"""Rules on the wire."""

from datetime import datetime
from typing import Annotated

import strawberry
from strawberry import ID, UNSET

from app import rule_changes, rules
from app.domain import rule as domain
from app.domain.alert import Severity
from app.domain.rule import Aggregation, Comparison
from app.domain.tenant import Scope
from app.errors import bad_field
from schema.context import Info
from schema.given import given


@strawberry.type(description="no heartbeat for so long; null: the device's, then the tenant's, then the setting's")
class AbsenceCondition:
    after_sec: int | None


@strawberry.type
class MetricCondition:
    metric: str
    comparison: Comparison
    threshold: float
    recovery_threshold: float | None
    aggregation: Aggregation
    window_sec: int


RuleCondition = Annotated[AbsenceCondition | MetricCondition, strawberry.union("RuleCondition")]


@strawberry.type
class RuleScope:
    store_ids: list[ID]
    device_ids: list[ID]
    kinds: list[str]
    tags: list[str]


@strawberry.type
class AlertRule:
    id: ID
    tenant_id: ID | None = strawberry.field(description="null: a platform default that tenants inherit and may override by key")
    key: str
    name: str
    description: str | None
    severity: Severity
    condition: RuleCondition
    scope: RuleScope
    enabled: bool
    for_sec: int
    keep_firing_sec: int
    cooldown_sec: int
    auto_resolve: bool
    runbook_url: str | None
    version: int
    created_at: datetime
    updated_at: datetime
    updated_by: str | None
    last_evaluated_at: datetime | None
    last_error: str | None
    error_count: int
    seen_in: strawberry.Private[Scope]

    @strawberry.field
    async def open_alerts(self, info: Info) -> int:
        return await info.context.loaders.live_of_rule.load((self.seen_in, self.tenant_id, self.key))


@strawberry.input
class AbsenceConditionInput:
    after_sec: int | None = UNSET


@strawberry.input
class MetricConditionInput:
    metric: str
    comparison: Comparison
    threshold: float
    recovery_threshold: float | None = UNSET
    aggregation: Aggregation | None = Aggregation.LAST
    window_sec: int | None = UNSET


@strawberry.input(one_of=True)
class RuleConditionInput:
    absence: AbsenceConditionInput | None = UNSET
    metric: MetricConditionInput | None = UNSET


@strawberry.input
class RuleScopeInput:
    store_ids: list[ID] | None = UNSET
    device_ids: list[ID] | None = UNSET
    kinds: list[str] | None = UNSET
    tags: list[str] | None = UNSET


@strawberry.input
class AlertRuleInput:
    name: str
    severity: Severity
    condition: RuleConditionInput
    key: str | None = UNSET
    description: str | None = UNSET
    scope: RuleScopeInput | None = UNSET
    enabled: bool | None = True
    for_sec: int | None = 0
    keep_firing_sec: int | None = 0
    cooldown_sec: int | None = 900
    auto_resolve: bool | None = True
    runbook_url: str | None = UNSET


@strawberry.input(description="A patch: what is left out stays as it is; null clears, where a rule can be without.")
class AlertRulePatch:
    name: str | None = UNSET
    description: str | None = UNSET
    severity: Severity | None = UNSET
    condition: RuleConditionInput | None = UNSET
    scope: RuleScopeInput | None = UNSET
    enabled: bool | None = UNSET
    for_sec: int | None = UNSET
    keep_firing_sec: int | None = UNSET
    cooldown_sec: int | None = UNSET
    auto_resolve: bool | None = UNSET
    runbook_url: str | None = UNSET


@strawberry.type
class RuleQuery:
    @strawberry.field
    async def alert_rules(self, info: Info, tenant_id: ID | None = None, enabled: bool | None = None) -> list[AlertRule]:
        scope, found = await rules.list_rules(info.context.context, info.context.principal, tenant_id, enabled)
        return [alert_rule(rule, scope) for rule in found]

    @strawberry.field
    async def alert_rule(self, info: Info, id: ID) -> AlertRule | None:  # noqa: A002
        scope, rule = await rules.find_rule(info.context.context, info.context.principal, id)
        return None if rule is None else alert_rule(rule, scope)


@strawberry.type
class RuleMutation:
    @strawberry.mutation
    async def create_alert_rule(
        self,
        info: Info,
        input: AlertRuleInput,  # noqa: A002
        tenant_id: ID | None = None,
    ) -> AlertRule:
        principal = info.context.principal
        rule = await rule_changes.create_rule(info.context.context, principal, tenant_id, rule_input(input))
        return alert_rule(rule, principal.scope)

    @strawberry.mutation
    async def update_alert_rule(
        self,
        info: Info,
        id: ID,  # noqa: A002
        patch: AlertRulePatch,
        version: int | None = None,
    ) -> AlertRule:
        principal = info.context.principal
        rule = await rule_changes.update_rule(info.context.context, principal, id, _rule_patch(patch), version)
        return alert_rule(rule, principal.scope)

    @strawberry.mutation
    async def set_alert_rule_enabled(self, info: Info, id: ID, enabled: bool) -> AlertRule:  # noqa: A002
        principal = info.context.principal
        rule = await rule_changes.set_rule_enabled(info.context.context, principal, id, enabled)
        return alert_rule(rule, principal.scope)

    @strawberry.mutation
    async def delete_alert_rule(self, info: Info, id: ID) -> bool:  # noqa: A002
        return await rule_changes.delete_rule(info.context.context, info.context.principal, id)


def alert_rule(rule: domain.Rule, seen_in: Scope) -> AlertRule:
    """`seen_in`: the tenants whose alerts `openAlerts` counts for a rule of the platform."""
    return AlertRule(
        id=ID(rule.id),
        tenant_id=None if rule.tenant_id is None else ID(rule.tenant_id),
        key=rule.key,
        name=rule.name,
        description=rule.description,
        severity=rule.severity,
        condition=_condition(rule.condition),
        scope=_scope(rule.scope),
        enabled=rule.enabled,
        for_sec=rule.for_sec,
        keep_firing_sec=rule.keep_firing_sec,
        cooldown_sec=rule.cooldown_sec,
        auto_resolve=rule.auto_resolve,
        runbook_url=rule.runbook_url,
        version=rule.version,
        created_at=rule.created_at,
        updated_at=rule.updated_at,
        updated_by=rule.updated_by,
        last_evaluated_at=rule.last_evaluated_at,
        last_error=rule.last_error,
        error_count=rule.error_count,
        seen_in=seen_in,
    )


def _condition(condition: domain.Condition) -> AbsenceCondition | MetricCondition:
    if isinstance(condition, domain.AbsenceCondition):
        return AbsenceCondition(after_sec=condition.after_sec)
    assert isinstance(condition, domain.MetricCondition)
    return MetricCondition(
        metric=condition.metric,
        comparison=condition.comparison,
        threshold=condition.threshold,
        recovery_threshold=condition.recovery_threshold,
        aggregation=condition.aggregation,
        window_sec=condition.window_sec,
    )


def _scope(scope: domain.RuleScope) -> RuleScope:
    return RuleScope(
        store_ids=[ID(store_id) for store_id in scope.store_ids],
        device_ids=[ID(device_id) for device_id in scope.device_ids],
        kinds=list(scope.kinds),
        tags=list(scope.tags),
    )


def rule_input(written: AlertRuleInput) -> rule_changes.RuleInput:
    # In a new rule null says no more than leaving out does.
    values = {name: value for name, value in given(written).items() if value is not None}
    values["condition"] = _read_condition(written.condition)
    if "scope" in values:
        values["scope"] = _read_scope(values["scope"])
    return rule_changes.RuleInput(**values)


def _rule_patch(written: AlertRulePatch) -> rule_changes.RulePatch:
    values = given(written)
    if values.get("condition") is not None:
        values["condition"] = _read_condition(values["condition"])
    if values.get("scope") is not None:
        values["scope"] = _read_scope(values["scope"])
    return rule_changes.RulePatch(**values)


def _read_condition(written: RuleConditionInput) -> domain.Condition:
    match given(written):
        case {"absence": AbsenceConditionInput() as absence}:
            return domain.AbsenceCondition(**given(absence))
        case {"metric": MetricConditionInput() as metric}:
            return domain.MetricCondition(**{name: value for name, value in given(metric).items() if value is not None})
    raise bad_field("condition", "should have exactly one family")


def _read_scope(written: RuleScopeInput) -> domain.RuleScope:
    lists = {name: tuple(dict.fromkeys(values)) for name, values in given(written).items() if values is not None}
    return domain.RuleScope(**lists)
