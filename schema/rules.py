"""Rules on the wire."""

from datetime import datetime
from typing import Any

import strawberry
from strawberry import ID, UNSET

from app import rule_changes, rule_overrides, rules
from app.domain import rule as domain
from app.domain.alert import Severity
from app.domain.plain import wire_name
from app.domain.rule import NoDataPolicy
from app.domain.rule_input import RuleInput, RulePatch
from app.domain.tenant import Scope
from schema.channels import Channel, channel
from schema.context import Info
from schema.given import given
from schema.rule_conditions import RuleCondition, RuleConditionInput, read_condition, show_condition


@strawberry.type
class RuleScope:
    store_ids: list[ID]
    device_ids: list[ID]
    kinds: list[str]
    tags: list[str]
    service_keys: list[str]


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
    max_alerts_per_hour: int | None
    auto_resolve: bool
    no_data: NoDataPolicy
    runbook_url: str | None
    version: int
    created_at: datetime
    updated_at: datetime
    updated_by: str | None
    last_evaluated_at: datetime | None
    last_error: str | None
    error_count: int
    overridden: list[str] = strawberry.field(description="what a tenant's version of a default sets itself; else empty")
    seen_in: strawberry.Private[Scope]

    channel_ids: strawberry.Private[tuple[str, ...]]

    @strawberry.field
    async def channels(self, info: Info) -> list[Channel]:
        asked = [(str(self.tenant_id), one) for one in self.channel_ids]
        return [channel(one) for one in await info.context.loaders.channel.load_many(asked) if one is not None]

    @strawberry.field
    async def open_alerts(self, info: Info) -> int:
        return await info.context.loaders.live_of_rule.load((self.seen_in, self.tenant_id, self.key))


@strawberry.input
class RuleScopeInput:
    store_ids: list[ID] | None = UNSET
    device_ids: list[ID] | None = UNSET
    kinds: list[str] | None = UNSET
    tags: list[str] | None = UNSET
    service_keys: list[str] | None = UNSET


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
    max_alerts_per_hour: int | None = 4
    auto_resolve: bool | None = True
    no_data: NoDataPolicy | None = NoDataPolicy.KEEP
    runbook_url: str | None = UNSET
    channel_ids: list[ID] | None = strawberry.field(
        default=UNSET, description="shared channels of the tenant; without any, the tenant's default ones are told"
    )


@strawberry.input(
    description="A patch: what is left out stays as it is; null clears, where a rule can be without. In a tenant's version of a default,"
    " what is left out of it follows the default, and so does, after null, what a rule cannot be without."
)
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
    max_alerts_per_hour: int | None = UNSET
    auto_resolve: bool | None = UNSET
    no_data: NoDataPolicy | None = UNSET
    runbook_url: str | None = UNSET
    channel_ids: list[ID] | None = UNSET


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
    async def override_alert_rule(
        self,
        info: Info,
        key: str,
        patch: AlertRulePatch,
        tenant_id: ID | None = None,
    ) -> AlertRule:
        principal = info.context.principal
        rule = await rule_overrides.override_rule(info.context.context, principal, tenant_id, key, _rule_patch(patch))
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
        condition=show_condition(rule.condition),
        scope=_scope(rule.scope),
        enabled=rule.enabled,
        for_sec=rule.for_sec,
        keep_firing_sec=rule.keep_firing_sec,
        cooldown_sec=rule.cooldown_sec,
        max_alerts_per_hour=rule.max_alerts_per_hour,
        auto_resolve=rule.auto_resolve,
        no_data=rule.no_data,
        runbook_url=rule.runbook_url,
        version=rule.version,
        created_at=rule.created_at,
        updated_at=rule.updated_at,
        updated_by=rule.updated_by,
        last_evaluated_at=rule.last_evaluated_at,
        last_error=rule.last_error,
        error_count=rule.error_count,
        overridden=[wire_name(name) for name in rule.overridden or ()],
        seen_in=seen_in,
        channel_ids=rule.channel_ids,
    )


def _scope(scope: domain.RuleScope) -> RuleScope:
    return RuleScope(
        store_ids=[ID(store_id) for store_id in scope.store_ids],
        device_ids=[ID(device_id) for device_id in scope.device_ids],
        kinds=list(scope.kinds),
        tags=list(scope.tags),
        service_keys=list(scope.service_keys),
    )


def rule_input(written: AlertRuleInput) -> RuleInput:
    # In a new rule null says no more than leaving out does, but where it says "no bound".
    values = {name: value for name, value in given(written).items() if value is not None or name == "max_alerts_per_hour"}
    values["condition"] = read_condition(written.condition)
    if "scope" in values:
        values["scope"] = _read_scope(values["scope"])
    return RuleInput(**_with_channels(values))


def _rule_patch(written: AlertRulePatch) -> RulePatch:
    values = given(written)
    if values.get("condition") is not None:
        values["condition"] = read_condition(values["condition"])
    if values.get("scope") is not None:
        values["scope"] = _read_scope(values["scope"])
    return RulePatch(**_with_channels(values))


def _with_channels(values: dict[str, Any]) -> dict[str, Any]:
    ids = values.get("channel_ids")
    return values if ids is None else {**values, "channel_ids": tuple(dict.fromkeys(ids))}


def _read_scope(written: RuleScopeInput) -> domain.RuleScope:
    lists = {name: tuple(dict.fromkeys(values)) for name, values in given(written).items() if values is not None}
    return domain.RuleScope(**lists)
