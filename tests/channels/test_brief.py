"""The words that people read, whichever channel shows them."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, strategies as st

from app.channels.brief import LONGEST_FACT, facts, headline
from app.channels.wording import figures
from app.channels.words import duration, is_said, moment, one_line, span
from app.domain.alert import AlertEventType, AlertStatus, Resolution, Severity
from app.domain.message import MOST_NAMED
from app.domain.subject import SubjectKind
from tests.cast import NOW
from tests.channels.messages import a_message, a_note, offline, over, the_end, till


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (AlertEventType.OPENED, "🔴 HIGH · Device offline: Till 1"),
        (AlertEventType.UNGROUPED, "🔴 HIGH · Device offline: Till 1"),
        (AlertEventType.SEVERITY_CHANGED, "🔴 NOW HIGH · Device offline: Till 1"),
        (AlertEventType.REOPENED, "🔴 REOPENED HIGH · Device offline: Till 1"),
        (AlertEventType.ACKNOWLEDGED, "🔴 ACKNOWLEDGED · Device offline: Till 1"),
        (AlertEventType.FLAPPING_ENDED, "🔴 FLAPPING ENDED · Device offline: Till 1"),
    ],
)
def test_the_headline_says_what_happened(kind: AlertEventType, said: str) -> None:
    assert headline(a_note(type=kind)) == said


def test_times_are_shown_by_the_clocks_of_the_reader() -> None:
    assert moment(NOW, a_message(timezone="Europe/Berlin")) == "07:00:00 CET"
    assert moment(NOW - timedelta(days=1), a_message()) == "2026-11-20 06:00:00 UTC"
    # It is the next day there already.
    assert moment(datetime(2026, 11, 21, 23, 30, tzinfo=NOW.tzinfo), a_message(timezone="Europe/Berlin")).startswith("2026-11-22")


@pytest.mark.parametrize(
    ("seconds", "said"), [(0, "0 s"), (59.6, "1 min"), (125, "2 min 5 s"), (7_500, "2 h 5 min"), (90_000, "1 d 1 h"), (-5, "0 s")]
)
def test_a_duration_is_said_in_its_two_largest_units(seconds: float, said: str) -> None:
    assert duration(timedelta(seconds=seconds)) == said


@given(st.floats(min_value=0, max_value=1e9))
def test_a_duration_is_never_without_words(seconds: float) -> None:
    assert duration(timedelta(seconds=seconds))


@given(st.text(), st.integers(min_value=1, max_value=60))
def test_what_is_clipped_is_one_line_and_no_longer_than_asked(text: str, longest: int) -> None:
    clipped = one_line(text, longest)
    assert len(clipped) <= longest
    assert len(clipped.splitlines()) <= 1


def test_figures_have_their_unit_and_no_needless_digits() -> None:
    assert figures(offline(message="", value=97.123456789, threshold=90.0, unit="%")) == "97.12 %, threshold 90 %"
    assert figures(offline(message="", value=3.0, threshold=None, unit=None)) == "3"


def test_figures_that_the_message_has_are_not_said_twice() -> None:
    assert figures(offline(message="no heartbeat for 134 s, over 120 s", value=134.217, threshold=120.0)) == ""
    assert figures(offline(message="no heartbeat for 134 s", value=134.217, threshold=120.0)) == "134.2 s, threshold 120 s"
    assert figures(offline(value=None)) == ""


@pytest.mark.parametrize(
    ("value", "text", "said"),
    [
        (0.125, "12 of 96 payments failed (12.5 %), over 10 %", True),
        (1234.0, "1,234 sales", True),
        (97.25, "CPU 97.2 %", True),
        (97.25, "CPU 98 %", False),
        (7.0, "till-7 is dark", False),
        (2.5, "v1.2.5", False),
    ],
)
def test_a_figure_is_known_in_a_text(value: float, text: str, said: bool) -> None:
    assert is_said(value, text) is said


@pytest.mark.parametrize(
    ("resolution", "actor", "said"),
    [
        (Resolution.RECOVERED, None, "recovered: because"),
        (Resolution.FALSE_POSITIVE, "bea", "by bea: false positive: because"),
        (Resolution.MANUAL, "bea", "by bea: because"),
        (Resolution.DEVICE_RETIRED, None, "because"),
    ],
)
def test_an_end_says_how_and_why_and_what_it_was(resolution: Resolution, actor: str | None, said: str) -> None:
    ended = over(resolution=resolution, resolution_note="because", resolved_by=actor)
    assert facts(a_note(ended, type=AlertEventType.RESOLVED, actor=actor, reason="because"), a_message())[:3] == [
        said,
        "it was: silent for 130 s",
        "after 12 min, from 06:00:00 to 06:12:00 UTC · Acme · store north · pos-1",
    ]


def test_a_reason_is_not_said_twice() -> None:
    assert facts(a_note(reason="silent for 130 s"), a_message()) == [
        "silent for 130 s",
        "since 06:00:00 UTC · Acme · store north · pos-1",
        "value 130 s, threshold 120 s",
    ]
    assert "recovered: heard of again" in facts(the_end(reason="heard of again"), a_message())


def test_where_it_is_is_not_said_twice() -> None:
    lines = facts(a_note(offline(title="Device offline: Till 1"), device=till()), a_message())
    assert "since 06:00:00 UTC · Acme · store north · pos-1 · till-1.local" in lines
    parent = offline(title="Store north: 9 of 9 devices offline", subject_kind=SubjectKind.STORE, subject_id="north")
    assert "since 06:00:00 UTC · Acme" in facts(a_note(parent), a_message())


def test_who_is_at_it_already_is_said() -> None:
    taken = offline(status=AlertStatus.ACKNOWLEDGED, acknowledged_by="bob", assignee="bea")
    assert "acknowledged by bob, assigned to bea" in facts(a_note(taken, type=AlertEventType.SEVERITY_CHANGED), a_message())
    assert "acknowledged by bob" not in " ".join(facts(a_note(taken, type=AlertEventType.ACKNOWLEDGED), a_message()))


def test_many_who_were_told_are_counted() -> None:
    told = tuple(f"person-{number}" for number in range(MOST_NAMED))
    assert facts(a_note(also_told=told, others_told=4), a_message())[-1] == (
        "also told: person-0, person-1, person-2, person-3, person-4 and 4 others"
    )
    assert facts(a_note(also_told=told, others_told=1), a_message())[-1].endswith("person-4 and 1 other")


def test_a_length_of_time_has_both_zones_where_the_clocks_were_changed_in_it() -> None:
    start = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    there = a_message(timezone="Europe/Berlin", now=start + timedelta(hours=2))
    assert span(start, start + timedelta(hours=1), there) == "02:30:00 CEST to 02:30:00 CET"


def test_every_fact_is_bounded() -> None:
    long = "x" * 9_000
    note = a_note(offline(severity=Severity.LOW, message=long), actor=long, reason=long, also_told=(long,))
    assert all(len(fact) <= LONGEST_FACT for fact in facts(note, a_message()))
