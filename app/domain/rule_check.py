"""What a rule has to be like, whoever wrote it."""

import re
import unicodedata
from collections.abc import Collection

from app.domain.channel import MOST_CHANNELS
from app.domain.condition_check import check_condition
from app.domain.faults import WEEK, Faults
from app.domain.ids import is_rule_key
from app.domain.rule import Condition, CountCondition, Rule, RuleScope, ServiceCondition
from app.domain.subject import SubjectKind

MOST_IN_A_LIST = 500
MOST_AN_HOUR = 1_000
MOST_RULES = 500
"""Rules of a tenant's own that stand alone: a tick looks at all of them."""


def key_from_name(name: str) -> str:
    """A slug such as `cpu_high` for "CPU high"; empty where the name has nothing that a slug may have."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "_", plain).strip("_")[:64].rstrip("_")


def check_rule(rule: Rule, prefix: str, faults: Faults) -> None:
    """Adds everything that is wrong with the rule; `prefix` is the name of the argument that it came in."""
    faults.title(f"{prefix}.name", rule.name, 200)
    if rule.description is not None:
        faults.prose(f"{prefix}.description", rule.description, 4_000)
    faults.between(f"{prefix}.forSec", rule.for_sec, 0, WEEK)
    faults.between(f"{prefix}.keepFiringSec", rule.keep_firing_sec, 0, WEEK)
    faults.between(f"{prefix}.cooldownSec", rule.cooldown_sec, 0, WEEK)
    if rule.max_alerts_per_hour is not None:
        faults.between(f"{prefix}.maxAlertsPerHour", rule.max_alerts_per_hour, 1, MOST_AN_HOUR)
    if rule.runbook_url is not None:
        faults.web_address(f"{prefix}.runbookUrl", rule.runbook_url)
    known = rule.tenant_id is not None or not rule.channel_ids
    faults.require(known, f"{prefix}.channelIds", "is for rules of a tenant: a rule of the platform has no channels")
    _check_scope(rule.scope, rule.condition, f"{prefix}.scope", faults)
    check_condition(rule.condition, f"{prefix}.condition", faults)


def check_channel_ids(channel_ids: Collection[str], known: Collection[str], path: str, faults: Faults) -> None:
    """`known` are the shared channels of the tenant."""
    faults.require(len(channel_ids) <= MOST_CHANNELS, path, f"has {len(channel_ids)} entries; at most {MOST_CHANNELS}")
    for index, channel_id in enumerate(list(channel_ids)[:MOST_CHANNELS]):
        faults.require(channel_id in known, f"{path}[{index}]", "should be a shared channel of the tenant")


def check_key(key: str, prefix: str, faults: Faults) -> None:
    hint = "should be a slug: 1 to 64 lower-case letters, digits, `_`, `.` and `-`, beginning with a letter or a digit"
    faults.require(is_rule_key(key), f"{prefix}.key", hint)


def _check_scope(scope: RuleScope, condition: Condition, path: str, faults: Faults) -> None:
    lists = {
        "storeIds": scope.store_ids,
        "deviceIds": scope.device_ids,
        "kinds": scope.kinds,
        "tags": scope.tags,
        "serviceKeys": scope.service_keys,
    }
    for name, values in lists.items():
        faults.require(len(values) <= MOST_IN_A_LIST, f"{path}.{name}", f"has {len(values)} entries; at most {MOST_IN_A_LIST}")
        for index, value in enumerate(values[:MOST_IN_A_LIST]):
            faults.title(f"{path}.{name}[{index}]", value, 128)
    for name, reason in _out_of_place(condition).items():
        faults.require(not lists[name], f"{path}.{name}", reason)


def _out_of_place(condition: Condition) -> dict[str, str]:
    """The lists that could match nothing the rule looks at, and why."""
    devices = ("deviceIds", "kinds", "tags")
    if isinstance(condition, ServiceCondition):
        return dict.fromkeys(("storeIds", *devices), "is not for a rule about services: leave it out, or give serviceKeys")
    reasons = {"serviceKeys": "is for rules about services alone: leave it out"}
    if isinstance(condition, CountCondition) and condition.subject in (SubjectKind.STORE, SubjectKind.TENANT):
        lost = devices if condition.subject is SubjectKind.STORE else ("storeIds", *devices)
        reasons |= dict.fromkeys(lost, f"is not for events counted for {condition.subject.name}: leave it out, or the subject")
    return reasons
