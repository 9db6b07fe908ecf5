"""What a rule has to be like, whoever wrote it."""

import re
import unicodedata
from collections.abc import Callable

from app.domain.faults import WEEK, Faults
from app.domain.ids import is_rule_key
from app.domain.rule import AbsenceCondition, Aggregation, Comparison, MetricCondition, Rule, RuleScope

MOST_IN_A_LIST = 500
_RISING = (Comparison.GT, Comparison.GTE)
_FALLING = (Comparison.LT, Comparison.LTE)


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
    if rule.runbook_url is not None:
        faults.web_address(f"{prefix}.runbookUrl", rule.runbook_url)
    _check_scope(rule.scope, f"{prefix}.scope", faults)
    if isinstance(rule.condition, AbsenceCondition):
        _check_absence(rule.condition, f"{prefix}.condition.absence", faults)
    elif isinstance(rule.condition, MetricCondition):
        _check_metric(rule.condition, f"{prefix}.condition.metric", faults)


def check_key(key: str, prefix: str, faults: Faults) -> None:
    hint = "should be a slug: 1 to 64 lower-case letters, digits, `_`, `.` and `-`, beginning with a letter or a digit"
    faults.require(is_rule_key(key), f"{prefix}.key", hint)


def _check_absence(condition: AbsenceCondition, path: str, faults: Faults) -> None:
    if condition.after_sec is not None:
        faults.between(f"{path}.afterSec", condition.after_sec, 1, WEEK)


def _check_metric(condition: MetricCondition, path: str, faults: Faults) -> None:
    faults.title(f"{path}.metric", condition.metric, 100)
    faults.finite(f"{path}.threshold", condition.threshold)
    faults.between(f"{path}.windowSec", condition.window_sec, 0, WEEK)
    if condition.aggregation is Aggregation.LAST:
        faults.require(condition.window_sec <= 0, f"{path}.windowSec", "LAST looks at the newest beat alone: leave it out")
    elif condition.window_sec == 0:
        faults.add(f"{path}.windowSec", f"{condition.aggregation.name} needs a window of at least 1 s")
    if condition.recovery_threshold is not None:
        _check_recovery(condition, condition.recovery_threshold, f"{path}.recoveryThreshold", faults)


def _check_recovery(condition: MetricCondition, recovery: float, path: str, faults: Faults) -> None:
    sides: list[tuple[tuple[Comparison, ...], Callable[[float, float], bool], str]] = [
        (_RISING, lambda value, bound: value > bound, "should not be over the threshold"),
        (_FALLING, lambda value, bound: value < bound, "should not be under the threshold"),
    ]
    faults.finite(path, recovery)
    for comparisons, is_wrong, message in sides:
        if condition.comparison in comparisons:
            faults.require(not is_wrong(recovery, condition.threshold), path, message)
            return
    faults.add(path, f"{condition.comparison.name} has no way back of its own: leave it out")


def _check_scope(scope: RuleScope, path: str, faults: Faults) -> None:
    lists = {"storeIds": scope.store_ids, "deviceIds": scope.device_ids, "kinds": scope.kinds, "tags": scope.tags}
    for name, values in lists.items():
        faults.require(len(values) <= MOST_IN_A_LIST, f"{path}.{name}", f"has {len(values)} entries; at most {MOST_IN_A_LIST}")
        for index, value in enumerate(values[:MOST_IN_A_LIST]):
            faults.title(f"{path}.{name}[{index}]", value, 128)
