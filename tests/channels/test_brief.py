"""The words that people read, whichever channel shows them."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given, strategies as st

from app.channels.brief import LONGEST_FACT, facts, figures, headline, moment
from app.channels.wording import duration, one_line
from app.domain.alert import AlertEventType, Resolution, Severity
from tests.cast import NOW
from tests.channels.messages import a_message, a_note, offline, over, the_end


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
    assert figures(offline(value=97.123456789, threshold=90.0, unit="%")) == "value 97.1235 %, threshold 90 %"
    assert figures(offline(value=3.0, threshold=None, unit=None)) == "value 3"


@pytest.mark.parametrize(
    ("resolution", "said"),
    [(Resolution.RECOVERED, "recovered"), (Resolution.FALSE_POSITIVE, "false positive"), (None, "over")],
)
def test_an_end_says_how(resolution: Resolution | None, said: str) -> None:
    [first, *_] = facts(a_note(over(resolution=resolution), type=AlertEventType.RESOLVED), a_message())
    assert first == f"{said} after 12 min, from 06:00:00 UTC to 06:12:00 UTC"


def test_a_reason_is_not_said_twice() -> None:
    assert facts(a_note(reason="silent for 130 s"), a_message()) == [
        "silent for 130 s since 06:00:00 UTC",
        "value 130 s, threshold 120 s",
    ]
    assert "heard of again" in facts(the_end(reason="heard of again"), a_message())


def test_every_fact_is_bounded() -> None:
    long = "x" * 9_000
    note = a_note(offline(severity=Severity.LOW, message=long), actor=long, reason=long, also_told=(long,))
    assert all(len(fact) <= LONGEST_FACT + 60 for fact in facts(note, a_message()))
