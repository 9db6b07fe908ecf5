"""What a person wants decides who is skipped, what is held, and by which channel it comes."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, strategies as st

from app.domain.alert import Severity
from app.domain.message import Bundling
from app.domain.preferences import Hold, Preferences, channel_order, hold, skip_reason
from app.domain.quiet_hours import QuietHours
from app.domain.subject import SubjectKind
from tests.alerts.world import an_alert
from tests.people.making import own_channel

NIGHT = datetime(2026, 6, 9, 23, 12, tzinfo=UTC)
QUIET = QuietHours(enabled=True, start="22:00", end="07:00", timezone="Europe/Berlin")
VERA = Preferences(id="vera")


def wants(**fields: object) -> Preferences:
    return Preferences(id="vera", **fields)  # type: ignore[arg-type]


def test_who_never_said_anything_hears_of_everything_at_once() -> None:
    assert skip_reason(VERA, an_alert(severity=Severity.INFO)) is None
    assert hold(VERA, Severity.INFO, NIGHT) is None


def test_a_severity_that_is_not_wanted_is_skipped_with_the_reason() -> None:
    preferences = wants(severities=(Severity.CRITICAL, Severity.HIGH))
    assert skip_reason(preferences, an_alert(severity=Severity.HIGH)) is None
    assert skip_reason(preferences, an_alert(severity=Severity.LOW)) == "vera does not want severity LOW"


@pytest.mark.parametrize("wanted", ["north", "acme:north"])
def test_a_store_is_named_by_either_of_its_ids(wanted: str) -> None:
    preferences = wants(store_ids=(wanted,))
    assert skip_reason(preferences, an_alert(store_id="north")) is None
    assert skip_reason(preferences, an_alert(store_id="south")) == "store south is not among those that vera wants"


def test_a_device_of_no_store_is_not_among_the_stores_that_are_wanted() -> None:
    assert skip_reason(wants(store_ids=("north",)), an_alert()) == "vera wants some stores alone, and the alert is of none"


@pytest.mark.parametrize("kind", [SubjectKind.GATEWAY, SubjectKind.VERSION, SubjectKind.TENANT, SubjectKind.SERVICE])
def test_what_spans_stores_is_told_to_those_who_want_some_alone(kind: SubjectKind) -> None:
    assert skip_reason(wants(store_ids=("north",)), an_alert(subject_kind=kind)) is None


def test_quiet_hours_hold_until_their_end_and_say_when_that_is() -> None:
    assert hold(wants(quiet_hours=QUIET), Severity.HIGH, NIGHT) == Hold(
        until=datetime(2026, 6, 10, 5, 0, tzinfo=UTC),
        bundling=Bundling.QUIET_HOURS,
        reason="quiet hours of vera until 07:00 (Europe/Berlin)",
    )


def test_a_digest_holds_until_the_next_multiple_of_its_seconds() -> None:
    assert hold(wants(digest_sec=900), Severity.HIGH, NIGHT) == Hold(
        until=datetime(2026, 6, 9, 23, 15, tzinfo=UTC), bundling=Bundling.DIGEST, reason="digest of vera every 900 s"
    )


def test_quiet_hours_go_before_the_digest() -> None:
    held = hold(wants(quiet_hours=QUIET, digest_sec=60), Severity.HIGH, NIGHT)
    assert held is not None
    assert held.bundling is Bundling.QUIET_HOURS


def test_critical_waits_for_no_digest_and_no_morning() -> None:
    assert hold(wants(digest_sec=900), Severity.CRITICAL, NIGHT) is None
    assert hold(wants(quiet_hours=QUIET, digest_sec=900), Severity.CRITICAL, NIGHT) is None


def test_the_exceptions_of_the_quiet_hours_are_those_of_the_digest() -> None:
    loud = QuietHours(enabled=False, start="22:00", end="07:00", timezone="UTC", except_severities=(Severity.HIGH,))
    preferences = wants(quiet_hours=loud, digest_sec=900)
    assert hold(preferences, Severity.HIGH, NIGHT) is None
    assert hold(preferences, Severity.CRITICAL, NIGHT) is not None


@given(st.integers(60, 86_400), st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001 - the zone is beside it
def test_a_digest_comes_within_its_seconds_and_at_the_same_time_for_all(seconds: int, now: datetime) -> None:
    held = hold(wants(digest_sec=seconds), Severity.LOW, now)
    assert held is not None
    assert timedelta(0) < held.until - now <= timedelta(seconds=seconds)
    assert held.until.timestamp() % seconds == 0


def test_channels_are_tried_in_the_order_that_was_chosen() -> None:
    phone, mail = own_channel("phone"), own_channel("mail")
    assert channel_order(wants(channel_ids=(mail.id, phone.id)), [phone, mail]) == [mail, phone]
    assert channel_order(wants(channel_ids=(mail.id,)), [phone, mail]) == [mail]


def test_without_a_choice_it_is_all_of_them_as_they_were_made() -> None:
    older, newer = own_channel("a"), own_channel("b", at=NIGHT)
    assert channel_order(VERA, [older, newer][::-1]) == sorted([older, newer], key=lambda one: one.created_at)


def test_a_channel_that_is_off_is_passed_over_and_one_that_is_gone_too() -> None:
    off, on = own_channel("off", enabled=False), own_channel("on")
    assert channel_order(wants(channel_ids=("vera-gone", off.id, on.id)), [off, on]) == [on]


def test_when_all_that_was_chosen_is_gone_it_is_all_of_them_again() -> None:
    phone = own_channel()
    assert channel_order(wants(channel_ids=("vera-gone",)), [phone]) == [phone]
