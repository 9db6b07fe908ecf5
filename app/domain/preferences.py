"""How a person wants to be told. Pure."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from app.domain.alert import Alert, Severity
from app.domain.channel import Channel
from app.domain.message import Bundling


class QuietHours(msgspec.Struct, frozen=True, kw_only=True):
    """From `start` to `end`, "22:00" to "07:00", by the clocks of `timezone`, nobody is woken but for `except_severities`."""

    enabled: bool
    start: str
    end: str
    timezone: str
    except_severities: tuple[Severity, ...] = (Severity.CRITICAL,)


class Preferences(msgspec.Struct, frozen=True, kw_only=True):
    """Of one person, in every tenant. `channel_ids` are tried in this order: the next one is used where one fails for good; none
    stands for all of the person's own. No severities and no stores are all of them. `digest_sec` gathers what happens in so many
    seconds into one message; 0 tells it at once."""

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
    """Why a person is not told of an alert; None where they are."""
    if preferences.severities and alert.severity not in preferences.severities:
        return f"{preferences.id} does not want severity {alert.severity.name}"
    return None


def hold(preferences: Preferences, severity: Severity, now: datetime) -> Hold | None:
    """What holds a telling; None sends it at once."""
    return None


def channel_order(preferences: Preferences, own: Sequence[Channel]) -> list[Channel]:
    """A person's channels in the order in which they are tried."""
    by_id = {channel.id: channel for channel in own}
    return [by_id[one] for one in preferences.channel_ids if one in by_id] or list(own)
