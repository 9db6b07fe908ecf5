"""Reading deliveries, and trying a dead one again."""

from collections.abc import Collection, Sequence

import msgspec

from app.audit import write_audit
from app.context import Context
from app.domain.delivery import Delivery, DeliveryStatus
from app.domain.page import require_first
from app.domain.tenant import Role, Scope
from app.errors import ConflictError, NotFoundError
from app.principal import Principal, read_scope
from app.store.mongo import Session
from app.transitions import Writes, transact


async def list_deliveries(
    context: Context,
    principal: Principal,
    tenant_id: str | None,
    alert_id: str | None,
    status: Collection[DeliveryStatus],
    first: int,
) -> list[Delivery]:
    """The newest first."""
    scope = read_scope(principal, tenant_id)
    require_first(first)
    return await context.store.deliveries.page(scope, alert_id, status, first)


async def deliveries_of(context: Context, alerts: Sequence[tuple[str, str]]) -> list[list[Delivery]]:
    """Of alerts (tenant, id) that the caller has already been given, oldest first."""
    scope = Scope(frozenset(tenant_id for tenant_id, _ in alerts))
    found = await context.store.deliveries.of_alerts(scope, {alert_id for _, alert_id in alerts})
    return [found.get(alert_id, []) for _, alert_id in alerts]


async def retry_delivery(context: Context, principal: Principal, delivery_id: str) -> Delivery:
    """A dead delivery with all its tries anew, under the same key, unless a later telling has come after it."""
    scope = read_scope(principal, None, Role.OPERATOR)
    known = await context.store.deliveries.get(scope, delivery_id)
    if known is None:
        raise NotFoundError(f"there is no delivery {delivery_id[:64]!r}")
    revived: list[Delivery] = []

    async def work(session: Session) -> Writes:
        dead = await context.store.deliveries.get(scope, delivery_id, session)
        if dead is None or dead.status is not DeliveryStatus.DEAD:
            status = "gone" if dead is None else dead.status.name
            raise ConflictError(f"only a DEAD delivery is tried again; this one is {status}", {"status": status})
        of_alert = {} if dead.alert_id is None else await context.store.deliveries.of_alerts(scope, {dead.alert_id}, session)
        later = [one for many in of_alert.values() for one in many if one.channel_id == dead.channel_id and one.seq > dead.seq]
        if later:
            raise ConflictError("a later telling of the alert has followed it", {"deliveryId": later[0].id})
        now = context.clock.now()
        revived[:] = [msgspec.structs.replace(dead, status=DeliveryStatus.PENDING, attempts=0, next_attempt_at=now, error=None)]
        return Writes(outcomes=revived)

    await transact(context, known.lane, work)
    await write_audit(context, principal, known.tenant_id, "delivery.retry", f"delivery:{known.id}", None, None)
    millisecond = round(context.clock.now().timestamp() * 1000)
    await context.errands.deliver(f"deliver:{known.id}:{millisecond}", known.lane)
    return revived[0]
