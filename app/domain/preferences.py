"""How a person wants to be told. Pure."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec

from app.domain.alert import Alert, Severity
from app.domain.channel import Channel
from app.domain.message import Bundling
from app.domain.quiet_hours import QuietHours, quiet_until
from app.domain.subject import SubjectKind

_EPOCH = datetime.fromtimestamp(0, UTC)
_IN_ONE_PLACE = (SubjectKind.DEVICE, SubjectKind.STORE)
_ALWAYS_AT_ONCE = (Severity.CRITICAL,)


class Preferences(msgspec.Struct, frozen=True, kw_only=True):
    """Of one person, in every tenant. `channel_ids` are tried in this order: the next one is used where one fails for good; none
    stands for all of the person's own. No severities and no stores are all of them. `digest_sec` gathers what happens in so many
    seconds into one message; 0 tells it at once. A store is named by its id inside the tenant, or by that over all tenants."""

    id: str
    channel_ids: tuple[str, ...] = ()
    severities: tuple[Severity, ...] = ()
    quiet_hours: QuietHours | None = None
    digest_sec: int = 0
    store_ids: tuple[str, ...] = ()


class Hold(msgspec.Struct, frozen=True, kw_only=True):
    """Until when somebody is told nothing, and why."""

    until: datetime
    bundling: Bundling
    reason: str


def skip_reason(preferences: Preferences, alert: Alert) -> str | None:
    """Why a person is not told of an alert; None where they are.

    What spans stores (a gateway, an app version, the tenant, a service) has devices of any store folded under it, so it is told
    to those as well who want some stores alone.
    """
    if preferences.severities and alert.severity not in preferences.severities:
        return f"{preferences.id} does not want severity {alert.severity.name}"
    if not preferences.store_ids or (alert.store_id is None and alert.subject_kind not in _IN_ONE_PLACE):
        return None
    if alert.store_id is None:
        return f"{preferences.id} wants some stores alone, and the alert is of none"
    if {alert.store_id, f"{alert.tenant_id}:{alert.store_id}"}.isdisjoint(preferences.store_ids):
        return f"store {alert.store_id} is not among those that {preferences.id} wants"
    return None


def hold(preferences: Preferences, severity: Severity, now: datetime) -> Hold | None:
    """What holds a telling; None sends it at once. Quiet hours go before the digest."""
    quiet = preferences.quiet_hours
    if quiet is not None and (until := quiet_until(quiet, severity, now)) is not None:
        ends = f"{until.astimezone(ZoneInfo(quiet.timezone)):%H:%M}"
        reason = f"quiet hours of {preferences.id} until {ends} ({quiet.timezone})"
        return Hold(until=until, bundling=Bundling.QUIET_HOURS, reason=reason)
    at_once = _ALWAYS_AT_ONCE if quiet is None else quiet.except_severities
    if preferences.digest_sec == 0 or severity in at_once:
        return None
    until = _next_multiple(timedelta(seconds=preferences.digest_sec), now)
    return Hold(until=until, bundling=Bundling.DIGEST, reason=f"digest of {preferences.id} every {preferences.digest_sec} s")


def chosen_channels(preferences: Preferences, own: Sequence[Channel]) -> list[Channel]:
    """A person's own channels in the order in which they are to be tried: as chosen, or else as they were made.

    What was chosen and is deleted by now is passed over; when nothing is left of the choice, it is all of them again.
    """
    by_id = {channel.id: channel for channel in own}
    chosen = [by_id[channel_id] for channel_id in preferences.channel_ids if channel_id in by_id]
    return chosen or sorted(own, key=lambda channel: (channel.created_at, channel.id))


def channel_order(preferences: Preferences, own: Sequence[Channel]) -> list[Channel]:
    """Those that can be used now, the first choice first."""
    return [channel for channel in chosen_channels(preferences, own) if channel.enabled]


def _next_multiple(step: timedelta, now: datetime) -> datetime:
    """The next whole number of steps since 1970: all whom the same digest is for are told at the same time."""
    return _EPOCH + ((now - _EPOCH) // step + 1) * step
