"""What is known of telling people of one alert, and who may ask that about whom."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from app.context import Context
from app.domain.alert import Alert
from app.domain.delivery import Delivery
from app.domain.explained_telling import Asked, is_for
from app.domain.planned_tellings import Bundles
from app.domain.tenant import Role, only
from app.errors import ForbiddenError
from app.principal import Principal, PrincipalKind
from app.recipients import books_of


@dataclass(frozen=True, slots=True)
class Tellings:
    """The deliveries of one alert, oldest first, and the bundles that they are in."""

    deliveries: Sequence[Delivery]
    bundles: Bundles


def require_asker(principal: Principal, user_id: str) -> None:
    """About oneself anybody may ask, about others an OPERATOR."""
    if not _is_self(principal, user_id) and (principal.role is None or not principal.role.covers(Role.OPERATOR)):
        raise ForbiddenError("whether somebody else was told needs the role OPERATOR; about yourself you may ask")


async def tellings_of(context: Context, alert: Alert) -> Tellings:
    found = await context.store.deliveries.of_alerts(only(alert.tenant_id), {alert.id})
    deliveries = found.get(alert.id, [])
    bundle_ids = {one.bundle_id for one in deliveries if one.bundle_id is not None}
    return Tellings(deliveries, await context.store.deliveries.get_many(bundle_ids) if bundle_ids else {})


async def asked_about(context: Context, principal: Principal, alert: Alert, tellings: Tellings, user_id: str) -> Asked:
    """Of who is not in the tenant it says no more than that, whether they are anywhere else or not."""
    book = (await books_of(context, [alert.tenant_id]))[alert.tenant_id]
    members = {member.id: member for member in await context.store.members.of_tenant(alert.tenant_id)}
    own = next((person for person in book.people if person.id == user_id), None)
    here = _is_self(principal, user_id) and principal.tenant_ids is not None
    email = members[user_id].email if user_id in members else None
    theirs = tuple(one for one in tellings.deliveries if is_for(one, user_id, email))
    known = dict(book.shared)
    if own is not None and _is_self(principal, user_id):
        known |= {channel.id: channel for channel in own.channels}
    return Asked(
        user_id=user_id,
        is_member=here or user_id in members or own is not None,
        deliveries=theirs,
        bundles=tellings.bundles,
        names={channel.id: channel.name for channel in known.values()},
        own=own,
        kept_since=context.clock.now() - timedelta(days=context.settings.event_retention_days),
    )


def _is_self(principal: Principal, user_id: str) -> bool:
    return principal.kind is PrincipalKind.PERSON and principal.id == user_id
