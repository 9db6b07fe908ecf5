"""A rule as it was asked for, a patch of one, and what a tenant's version of a default makes of it. Pure."""

from collections.abc import Mapping
from datetime import datetime

import msgspec
from msgspec import UNSET, UnsetType

from app.domain.alert import Severity
from app.domain.faults import Faults
from app.domain.ids import new_id
from app.domain.plain import wire_name
from app.domain.rule import Condition, NoDataPolicy, Rule, RuleScope, ServiceCondition
from app.domain.rule_check import check_rule


class RuleInput(msgspec.Struct, frozen=True, kw_only=True):
    """A rule to make."""

    name: str
    severity: Severity
    condition: Condition
    key: str | None = None
    description: str | None = None
    scope: RuleScope = RuleScope()
    enabled: bool = True
    for_sec: int = 0
    keep_firing_sec: int = 0
    cooldown_sec: int = 900
    max_alerts_per_hour: int | None = 4
    auto_resolve: bool = True
    no_data: NoDataPolicy = NoDataPolicy.KEEP
    runbook_url: str | None = None
    channel_ids: tuple[str, ...] = ()


class RulePatch(msgspec.Struct, frozen=True, kw_only=True):
    """What is left out stays as it is. None clears; what must have a value returns to the default in an override."""

    name: str | UnsetType | None = UNSET
    description: str | UnsetType | None = UNSET
    severity: Severity | UnsetType | None = UNSET
    condition: Condition | UnsetType | None = UNSET
    scope: RuleScope | UnsetType | None = UNSET
    enabled: bool | UnsetType | None = UNSET
    for_sec: int | UnsetType | None = UNSET
    keep_firing_sec: int | UnsetType | None = UNSET
    cooldown_sec: int | UnsetType | None = UNSET
    max_alerts_per_hour: int | UnsetType | None = UNSET
    auto_resolve: bool | UnsetType | None = UNSET
    no_data: NoDataPolicy | UnsetType | None = UNSET
    runbook_url: str | UnsetType | None = UNSET
    channel_ids: tuple[str, ...] | UnsetType | None = UNSET


FIELDS = RulePatch.__struct_fields__
"""What of a rule may be changed, and overridden."""

_MAY_BE_NONE = frozenset(("description", "max_alerts_per_hour", "runbook_url"))
_EMPTY: Mapping[str, object] = {"scope": RuleScope(), "channel_ids": ()}
"""What null makes of a field that is never None, and may still be empty."""


def overlaid(own: Rule, default: Rule) -> Rule:
    """A tenant's version of a default as it holds now: what it does not set itself is as in the default."""
    kept = own.overridden or ()
    followed = {name: getattr(default, name) for name in FIELDS if name not in kept}
    condition = _with_step(own.condition, default.condition) if "condition" in kept else default.condition
    return msgspec.structs.replace(own, **{**followed, "condition": condition})


def override_of(default: Rule, tenant_id: str, now: datetime) -> Rule:
    """A tenant's version of a default that overrides nothing yet."""
    return Rule(
        id=new_id(now),
        tenant_id=tenant_id,
        key=default.key,
        created_at=now,
        updated_at=now,
        overridden=(),
        **{name: getattr(default, name) for name in FIELDS},
    )


def patched(rule: Rule, patch: RulePatch, default: Rule | None = None, faults: Faults | None = None) -> Rule:
    """The rule with what the patch names; with a default, the tenant's version of that, which may override nothing any more.

    Raises BadInputError with everything that is wrong, and with the faults that were found before.
    """
    given = {name: value for name, value in msgspec.structs.asdict(patch).items() if value is not UNSET}
    changed = _changed(rule, given) if default is None else _overriding(rule, given, default)
    faults = faults or Faults()
    for name, value in given.items():
        if value is None and default is None and name not in _MAY_BE_NONE and name not in _EMPTY:
            faults.add(f"patch.{wire_name(name)}", "must have a value")
    check_rule(changed, "patch", faults)
    faults.refuse()
    return changed


def _changed(rule: Rule, given: dict[str, object]) -> Rule:
    values = {name: value for name, value in given.items() if value is not None or name in _MAY_BE_NONE}
    values |= {name: empty for name, empty in _EMPTY.items() if name in given and given[name] is None}
    changed: Rule = msgspec.structs.replace(rule, **values)
    return msgspec.structs.replace(changed, condition=_with_step(changed.condition, rule.condition))


def _overriding(rule: Rule, given: dict[str, object], default: Rule) -> Rule:
    # Where the default has no value either, clearing and following it say the same.
    follows = {
        name for name, value in given.items() if value is None and (name not in _MAY_BE_NONE or getattr(default, name) is None)
    }
    kept = {*(rule.overridden or ()), *given} - follows
    changed: Rule = msgspec.structs.replace(rule, **{name: value for name, value in given.items() if name not in follows})
    return overlaid(msgspec.structs.replace(changed, overridden=tuple(name for name in FIELDS if name in kept)), default)


def _with_step(condition: Condition, like: Condition) -> Condition:
    """The wire does not say how much milder a service rule is than the tier: that stays as it was."""
    if isinstance(condition, ServiceCondition) and isinstance(like, ServiceCondition):
        return msgspec.structs.replace(condition, severity_step=like.severity_step)
    return condition
