"""Reading deliveries, and trying a dead one again."""

from collections.abc import Collection, Sequence
from datetime import datetime

import msgspec

from app.audit import write_audit
from app.context import Context
from app.domain.delivery import BROKEN_UP, HANDED_OVER, Delivery, DeliveryStatus, Line, skipped
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
    """What was given up, with all its tries anew, under the same key; a bundle with its members. One that would be other words than
    before is skipped, and what is left of its members goes by itself. Not where a later telling of the alert has come after it."""
    scope = read_scope(principal, None, Role.OPERATOR)
    known = await context.store.deliveries.get(scope, delivery_id)
    if known is None:
        raise NotFoundError(f"there is no delivery {delivery_id[:64]!r}")
    revived: list[Delivery] = []

    async def work(session: Session) -> Writes:
        given_up = await context.store.deliveries.get(scope, delivery_id, session)
        if given_up is None or given_up.status not in _GIVEN_UP:
            status = "gone" if given_up is None else given_up.status.name
            raise ConflictError(f"only what is DEAD or FAILED is tried again; this one is {status}", {"status": status})
        revived[:] = await _revived(context, given_up, session)
        return Writes(outcomes=[*revived, *await _broken_up(context, given_up, revived, session)])

    await transact(context, known.lane, work)
    await write_audit(context, principal, known.tenant_id, "delivery.retry", f"delivery:{known.id}", None, None)
    millisecond = round(context.clock.now().timestamp() * 1000)
    await context.errands.deliver(f"deliver:{known.id}:{millisecond}", known.lane)
    return revived[0]


_GIVEN_UP = (DeliveryStatus.DEAD, DeliveryStatus.FAILED)
_FOLLOWS = (DeliveryStatus.PENDING, DeliveryStatus.SENDING, DeliveryStatus.SENT)
_OVER = (DeliveryStatus.SENT, DeliveryStatus.SKIPPED)


async def _revived(context: Context, given_up: Delivery, session: Session) -> list[Delivery]:
    """What goes again, itself first: with its members, if it is a bundle, and with what is to be told after it.

    Raises ConflictError where something later was told, or is to be told, of the same alert to the same recipient.
    """
    now, members, is_whole = context.clock.now(), list[Delivery](), True
    if given_up.bundling is not None:
        members, is_whole = await context.store.deliveries.given_up_in(given_up, session)
    rows = members or [given_up]
    later = await _later(context, rows, session)
    followed = {one.line: one for one in later if one.status in _FOLLOWS}
    free = [one for one in rows if one.line not in followed]
    if not free:
        raise ConflictError("a later telling of the alert has followed it", {"deliveryId": followed[rows[0].line].id})
    behind = [_anew(one, None) for one in later if one.line not in followed and _goes_with_it(one)]
    if given_up.broken_up or not is_whole or len(free) < len(rows):
        return [*_in_pieces(given_up, [one for one in free if one is not given_up], now), *behind]
    return [*_whole(given_up, members, now), *behind]


async def _later(context: Context, rows: Sequence[Delivery], session: Session) -> list[Delivery]:
    """What was to be told after these, in order."""
    seqs = {one.line: one.seq for one in rows if one.alert_id is not None}
    known = await context.store.deliveries.of_lines(rows, (), session) if seqs else []
    return [one for one in known if one.line in seqs and one.seq > seqs[one.line]]


def _goes_with_it(later: Delivery) -> bool:
    """Who is told of a beginning after all is told of its end, too: after it, even if that was given up or went to a fallback."""
    return later.status in _GIVEN_UP or later.skipped_because == HANDED_OVER


async def _broken_up(context: Context, given_up: Delivery, revived: Sequence[Delivery], session: Session) -> list[Delivery]:
    """The bundles that these leave to go by themselves. What is left of one would be other words under the key of the whole: from now
    on its members go by themselves, too. It may be on its way to its end still, which its members were told first."""
    leaving = await context.store.deliveries.get_many({one.id for one in revived if one.bundle_id is None}, session)
    left = {one.bundle_id for one in leaving.values() if one.bundle_id is not None}
    bundles = await context.store.deliveries.get_many(left - {given_up.id}, session) if left else {}
    return [msgspec.structs.replace(one, broken_up=True) for one in bundles.values() if one.status not in _OVER]


def _whole(given_up: Delivery, members: Sequence[Delivery], now: datetime) -> list[Delivery]:
    """A delivery with its members, if it is a bundle."""
    return [_anew(given_up, now), *(_anew(one, None, one.bundle_id) for one in members)]


def _in_pieces(bundle: Delivery, members: Sequence[Delivery], now: datetime) -> list[Delivery]:
    """Those of one line one after the other."""
    lines: set[Line] = set()
    revived = [skipped(bundle, BROKEN_UP)]
    for one in members:
        revived.append(_anew(one, None if one.line in lines else now))
        lines.add(one.line)
    return revived


def _anew(one: Delivery, at: datetime | None, bundle_id: str | None = None) -> Delivery:
    """What is in a bundle, or behind another, has no time of its own."""
    return msgspec.structs.replace(
        one,
        status=DeliveryStatus.PENDING,
        attempts=0,
        next_attempt_at=at,
        error=None,
        bundle_id=bundle_id,
        sent_at=None,
        ending=None,
        skipped_because=None,
    )
