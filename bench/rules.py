"""Twenty rules that apply to every device: those of the seed, and as many over gauges as are missing."""

from app.context import Context
from app.domain.alert import Severity
from app.domain.rule import Aggregation, Comparison, MetricCondition, Rule

RULES = 20
_GAUGES = ("queueDepth", "temperature", "cpuUsage", "memoryUsage")


async def add_rules(context: Context) -> None:
    """Some over a window: of a gauge that nobody sends, and of one that everybody does."""
    now = context.clock.now()
    for number in range(RULES - len(await context.store.rules.applying([]))):
        windowed = number % 4 == 0 or number % 8 == 2
        aggregation, window = (Aggregation.AVG, 300) if windowed else (Aggregation.LAST, 0)
        condition = MetricCondition(
            metric=_GAUGES[number % 4],
            comparison=Comparison.GT,
            threshold=95 + number / 10,
            aggregation=aggregation,
            window_sec=window,
        )
        key = f"bench_{number}"
        rule = Rule(
            id=key, tenant_id=None, key=key, name=key, severity=Severity.LOW, condition=condition, created_at=now, updated_at=now
        )
        assert await context.store.rules.insert(rule)
