"""The rules about Fleetbeat itself: nobody changes them, so they are kept nowhere."""

from datetime import datetime

from app.domain.alert import Severity
from app.domain.rule import Comparison, MetricCondition, Rule
from app.domain.self_check import DELIVERIES_LATE, STREAMS_LATE, TICK_LATE, Trouble
from app.domain.tenant import PLATFORM

SOURCE = "platform"
"""`Alert.source` of alerts about Fleetbeat itself."""

_RULES = {
    TICK_LATE: ("A tick of Fleetbeat is late", Severity.CRITICAL),
    DELIVERIES_LATE: ("Deliveries are late", Severity.CRITICAL),
    STREAMS_LATE: ("Streams are late", Severity.HIGH),
}


def platform_rule(trouble: Trouble, now: datetime) -> Rule:
    """The rule that a trouble breaks. It waits for nothing: what it goes by has its patience in its bound."""
    name, severity = _RULES[trouble.rule_key]
    return Rule(
        id=f"{PLATFORM}-{trouble.rule_key}",
        tenant_id=PLATFORM,
        key=trouble.rule_key,
        name=name,
        severity=severity,
        condition=MetricCondition(metric="lateSec", comparison=Comparison.GT, threshold=trouble.bound_sec),
        cooldown_sec=0,
        max_alerts_per_hour=None,
        created_at=now,
        updated_at=now,
        updated_by="fleetbeat",
    )
