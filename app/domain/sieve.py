"""The sieve: which readings could matter to any metric rule of a tenant, at a fraction of the cost of asking each rule.

A reading that passes is judged in full; one that does not cannot open an alert, since no rule's threshold is met by it. An
aggregate of a window is met only if one of its values meets the threshold by itself, but for a sum or a count.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from app.domain.beat import METRIC_FIELDS
from app.domain.rule import Aggregation, Comparison, MetricCondition, NoDataPolicy, Rule

_UNBOUNDED = (-math.inf, math.inf)
_SUMS = (Aggregation.SUM, Aggregation.COUNT)


class Sieve:
    """Compiled once for the enabled metric rules of a tenant; their scopes are not looked at."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._everything = False
        bounds: dict[str, tuple[float, float]] = {}
        for rule in rules:
            condition = rule.condition
            if rule.enabled and isinstance(condition, MetricCondition):
                bounds[condition.metric] = _narrowed(bounds.get(condition.metric, _UNBOUNDED), condition)
                self._everything |= condition.aggregation in _SUMS or rule.no_data is NoDataPolicy.ALERT
        self._fields = [(METRIC_FIELDS[name], *span) for name, span in bounds.items() if name in METRIC_FIELDS]
        self._named = {name: span for name, span in bounds.items() if name not in METRIC_FIELDS}

    def passes(self, reading: Mapping[str, Any]) -> bool:
        """`reading`: a beat by its field names, `metrics` as a list of name and value."""
        if self._everything:
            return True
        for field, low, high in self._fields:
            value = reading.get(field)
            if value is not None and not low < value < high:
                return True
        if self._named:
            for metric in reading.get("metrics") or ():
                low, high = self._named.get(metric["name"], _UNBOUNDED)
                if not low < metric["value"] < high:
                    return True
        return False


def _narrowed(span: tuple[float, float], condition: MetricCondition) -> tuple[float, float]:
    """The open interval in which this rule, too, is surely not breached."""
    low, high = span
    if condition.comparison in (Comparison.GT, Comparison.GTE):
        return low, min(high, condition.threshold)
    if condition.comparison in (Comparison.LT, Comparison.LTE):
        return max(low, condition.threshold), high
    # Equal and unequal have no side: an empty interval lets everything through.
    return math.inf, -math.inf
