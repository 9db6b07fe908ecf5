"""How a person wants to be told, on the wire."""

import strawberry
from msgspec import UNSET as LEFT_OUT
from strawberry import ID, UNSET

from app import preferences as use
from app.domain import quiet_hours as hours
from app.domain.alert import Severity
from app.domain.preferences_input import PreferencesPatch
from schema.channels import Channel, channel
from schema.context import Info
from schema.given import given, listed


@strawberry.type
class QuietHours:
    enabled: bool
    start: str
    end: str
    timezone: str
    except_severities: list[Severity]


@strawberry.type
class Preferences:
    user_id: ID
    channels: list[Channel] = strawberry.field(
        description="one's own, the first choice first; the next one is used where it fails"
    )
    severities: list[Severity]
    quiet_hours: QuietHours | None
    digest_sec: int
    store_ids: list[ID] = strawberry.field(description="none are all stores")


@strawberry.input
class QuietHoursInput:
    enabled: bool
    start: str
    end: str
    timezone: str
    except_severities: list[Severity] | None = strawberry.field(default_factory=lambda: [Severity.CRITICAL])


@strawberry.input(description="A patch: what is left out stays as it is; null says what holds where nothing was ever said.")
class PreferencesInput:
    channel_ids: list[ID] | None = UNSET
    severities: list[Severity] | None = UNSET
    quiet_hours: QuietHoursInput | None = UNSET
    digest_sec: int | None = UNSET
    store_ids: list[ID] | None = UNSET


@strawberry.type
class PreferencesQuery:
    @strawberry.field
    async def preferences(self, info: Info) -> Preferences:
        return _preferences(await use.preferences_of(info.context.context, info.context.principal))


@strawberry.type
class PreferencesMutation:
    @strawberry.mutation
    async def update_preferences(self, info: Info, input: PreferencesInput) -> Preferences:  # noqa: A002
        return _preferences(await use.update_preferences(info.context.context, info.context.principal, _patch(input)))


def _patch(written: PreferencesInput) -> PreferencesPatch:
    values = {name: listed(value) for name, value in given(written).items() if name != "quiet_hours"}
    quiet = written.quiet_hours
    return PreferencesPatch(
        **values, quiet_hours=_hours(quiet) if isinstance(quiet, QuietHoursInput) else LEFT_OUT if quiet is UNSET else None
    )


def _hours(written: QuietHoursInput) -> hours.QuietHours:
    values = {name: listed(value) for name, value in given(written).items() if value is not None}
    return hours.QuietHours(**values)


def _preferences(shown: use.Shown) -> Preferences:
    one = shown.preferences
    quiet = one.quiet_hours
    return Preferences(
        user_id=ID(one.id),
        channels=[channel(each) for each in shown.channels],
        severities=list(one.severities or Severity),
        quiet_hours=None
        if quiet is None
        else QuietHours(
            enabled=quiet.enabled,
            start=quiet.start,
            end=quiet.end,
            timezone=quiet.timezone,
            except_severities=list(quiet.except_severities),
        ),
        digest_sec=one.digest_sec,
        store_ids=[ID(store_id) for store_id in one.store_ids],
    )
