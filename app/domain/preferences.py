"""How a person wants to be told. Pure."""

import msgspec

from app.domain.alert import Severity


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
