"""What a tenant can write rules on: every gauge that its devices have sent."""

from datetime import timedelta

import structlog

from app.context import Context
from app.domain.seen_metric import MOST_NAMES, SeenMetric, admit
from app.principal import Principal, read_scope

MARK = "metrics"
OVERLAP = timedelta(seconds=5)
"""How far a look reads back behind its mark: a beat is stored a little after it came."""

REACH = timedelta(minutes=10)
"""How far back it reads after a standstill: whatever is still sent comes again."""

_log = structlog.get_logger(__name__)


async def note_metrics(context: Context, lane: int) -> int:
    """Lists the gauges of the beats that came since the lane's mark; how many there were."""
    now = context.clock.now()
    mark = await context.store.leases.watermark(MARK, lane) or now - REACH
    seen = await context.store.rollup_feed.seen_metrics(lane, max(mark - OVERLAP, now - REACH), now)
    by_tenant: dict[str, list[SeenMetric]] = {}
    for one in seen:
        by_tenant.setdefault(one.tenant_id, []).append(one)
    known = await context.store.metrics.known(by_tenant) if by_tenant else {}
    listed: list[SeenMetric] = []
    for tenant_id, mine in by_tenant.items():
        there = known.get(tenant_id, set())
        admitted, left_out = admit(there, mine)
        if left_out and len(there) < MOST_NAMES:
            # Said when the list fills up, not at every look from then on.
            _log.warning("metrics.too_many", tenant=tenant_id, most=MOST_NAMES, left_out=left_out)
        listed += admitted
    await context.store.metrics.note(listed)
    await context.store.leases.advance(MARK, lane, now)
    return len(listed)


async def list_metrics(context: Context, principal: Principal, tenant_id: str | None) -> list[SeenMetric]:
    """By name; what several of the caller's tenants have is there once, as the newest of them has it."""
    newest: dict[str, SeenMetric] = {}
    for one in await context.store.metrics.list(read_scope(principal, tenant_id)):
        there = newest.get(one.name)
        if there is None or there.last_at < one.last_at:
            newest[one.name] = one
    return list(newest.values())
