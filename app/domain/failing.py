"""A rule that fails: told to whoever owns it, as an alert of its own."""

from datetime import datetime

import msgspec

from app.domain.alert import Severity
from app.domain.conditions.observation import Observation
from app.domain.rule import NoDataPolicy, Rule

PREFIX = "rule_failing."
"""Before the key of the rule that fails."""

PATIENCE_SEC = 30
"""So long a rule has to fail, at every look, before anybody is told: an error may be a passing one."""


def failing_rule(rule: Rule) -> Rule:
    """The rule about a rule."""
    return msgspec.structs.replace(
        rule,
        key=f"{PREFIX}{rule.key}",
        name=f"Rule {rule.key} fails",
        severity=Severity.MEDIUM,
        for_sec=PATIENCE_SEC,
        keep_firing_sec=0,
        cooldown_sec=900,
        auto_resolve=True,
        no_data=NoDataPolicy.KEEP,
    )


def observe_failure(rule: Rule, error: str, now: datetime) -> Observation:
    owner = "nobody since it was made" if rule.updated_by is None else rule.updated_by
    reason = f"rule {rule.key} cannot be evaluated: {error}; last changed by {owner}"
    return Observation(at=now, breach=True, good=False, reason=reason, since=now, still=True)


def observe_success(rule: Rule, now: datetime) -> Observation:
    return Observation(at=now, breach=False, good=True, reason=f"rule {rule.key} is evaluated again", since=now, still=True)


def failing_key(rule_key: str) -> str | None:
    """The key of the rule that an alert says to fail; None for any other alert's rule."""
    return rule_key.removeprefix(PREFIX) if rule_key.startswith(PREFIX) else None
