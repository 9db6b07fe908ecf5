"""How many messages a history of alerts would have been, by the channels and preferences of today."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, strategies as st

from app.domain.alert import Severity
from app.domain.channel import Channel, ChannelKind, WebhookFormat
from app.domain.foretelling import Foretelling, recipients
from app.domain.pace import UNPACED
from app.domain.preferences import Preferences
from app.domain.quiet_hours import QuietHours
from app.domain.replay import ReplayedAlert
from app.domain.rule import AbsenceCondition, Rule
from app.domain.telling import Book, Person
from tests.domain.making import NOON, a_rule, a_subject, at, cpu_over
from tests.people.making import own_channel

SPAN = (at(-86_400), at(86_400))
HOT = a_rule(cpu_over(90))
QUIET = a_rule(AbsenceCondition())
NIGHT = QuietHours(enabled=True, start="11:00", end="13:00", timezone="UTC")

Times = tuple[int, int | None]
"""When it fires and when it ends, in seconds from noon."""

lives = st.tuples(st.integers(0, 7_200), st.none() | st.integers(0, 3_600)).map(
    lambda found: (found[0], None if found[1] is None else found[0] + found[1])
)
histories = st.lists(lives, max_size=60)
kinds = st.sampled_from(ChannelKind)
quiet = st.none() | st.just(NIGHT) | st.just(QuietHours(enabled=True, start="12:30", end="12:31", timezone="UTC"))
wishes = st.builds(Preferences, id=st.just("vera"), quiet_hours=quiet, digest_sec=st.sampled_from([0, 0, 60, 900]))


def shared(name: str = "ops", kind: ChannelKind = ChannelKind.SLACK, **fields: Any) -> Channel:
    given = {"tenant_id": "acme", "target": f"#{name}", "sealed": "", "created_at": NOON, **fields}
    return Channel(id=name, name=name, kind=kind, **given)


def book(*channels: Channel, person: Preferences | None = None, kind: ChannelKind = ChannelKind.SLACK) -> Book:
    people: tuple[Person, ...] = ()
    if person is not None:
        people = (Person(id=person.id, preferences=person, channels=(own_channel(owner_id=person.id, kind=kind),)),)
    return Book(shared={one.id: one for one in channels}, people=people, everybody=("mats", "vera"))


def history(*lives: Times, store_id: str | None = None, muted: str | None = None) -> list[ReplayedAlert]:
    return [
        ReplayedAlert(
            subject=a_subject(device_id=f"till-{place}", store_id=store_id),
            first_seen=at(fired),
            fired_at=at(fired),
            reason="hot",
            resolved_at=None if ended is None else at(ended),
            muted=muted,
        )
        for place, (fired, ended) in enumerate(lives)
    ]


def told(
    book: Book, alerts: Sequence[ReplayedAlert], rule: Rule = HOT, span: tuple[datetime, datetime] = SPAN
) -> dict[str, list[datetime]]:
    """By channel, when its messages go."""
    found = {}
    for one in recipients(book, rule, alerts):
        foretelling = Foretelling(one, rule.severity, span)
        foretelling.run()
        found[one.channel.id] = foretelling.times
    return found


def seconds(book: Book, *lives: Times) -> list[float]:
    [times] = told(book, history(*lives)).values()
    return [(one - NOON).total_seconds() for one in times]


def tellings(alerts: Sequence[ReplayedAlert]) -> int:
    return sum(len(alert.tellings) for alert in alerts)


@given(histories, kinds, wishes)
def test_there_are_never_more_messages_than_tellings(lives: list[Times], kind: ChannelKind, wishes: Preferences) -> None:
    alerts = history(*lives)
    found = told(book(shared(kind=kind), person=wishes, kind=kind), alerts)
    assert all(len(times) <= tellings(alerts) for times in found.values())
    assert set(found) == ({"ops", "vera-phone"} if alerts else set())


@given(histories, st.sampled_from(sorted(UNPACED, key=lambda kind: kind.name)))
def test_programs_are_told_each_thing_by_itself_and_at_once(lives: list[Times], kind: ChannelKind) -> None:
    alerts = history(*lives)
    times = told(book(shared(kind=kind)), alerts).get("ops", [])
    assert times == sorted(when for alert in alerts for when in alert.tellings)


@given(histories, wishes)
def test_people_get_three_messages_a_minute_at_most(lives: list[Times], wishes: Preferences) -> None:
    for times in told(book(shared(), person=wishes), history(*lives)).values():
        assert all(late - early >= timedelta(minutes=1) for early, late in zip(times, times[3:], strict=False))


@given(histories)
def test_the_first_message_goes_at_once_and_the_last_a_minute_after_the_last_telling_at_most(lives: list[Times]) -> None:
    alerts = history(*lives)
    moments = sorted(when for alert in alerts for when in alert.tellings)
    for times in told(book(shared()), alerts).values():
        assert times[0] == moments[0]
        assert moments[-1] <= times[-1] <= moments[-1] + timedelta(minutes=1)


@given(histories, wishes, st.integers(1, 7))
def test_it_may_be_done_in_steps(lives: list[Times], wishes: Preferences, most: int) -> None:
    for one in recipients(book(shared(), person=wishes), HOT, history(*lives)):
        whole, stepwise = Foretelling(one, HOT.severity, SPAN), Foretelling(one, HOT.severity, SPAN)
        whole.run()
        while stepwise.run(most):
            assert stepwise.times == whole.times[: len(stepwise.times)]
        assert stepwise.times == whole.times


def test_a_storm_is_two_messages_and_its_end_one_more() -> None:
    assert seconds(book(shared()), *[(0, 20)] * 500) == [0, 5, 25]


def test_what_opens_and_ends_before_its_turn_is_in_one_message() -> None:
    assert seconds(book(shared()), (0, 2), (0, 3), (0, None)) == [0, 5]


@pytest.mark.parametrize(("ended", "messages"), [(None, [3_600]), (5_400, [3_600, 5_400, 5_405]), (1_800, [])])
def test_a_night_is_one_message_of_what_still_matters_at_its_end(ended: int | None, messages: list[int]) -> None:
    of_vera = book(person=Preferences(id="vera", quiet_hours=NIGHT))
    assert seconds(of_vera, (0, ended), (60, ended), (120, ended)) == messages


def test_an_end_in_the_night_is_told_with_the_night() -> None:
    of_vera = book(person=Preferences(id="vera", quiet_hours=NIGHT))
    assert seconds(of_vera, (-7_200, 600), (-7_200, 900)) == [-7_200, -7_195, 3_600]


def test_a_digest_is_one_message_each_time() -> None:
    of_vera = book(person=Preferences(id="vera", digest_sec=900))
    assert seconds(of_vera, (1, None), (300, None), (899, None), (900, None)) == [900, 1_800]


def test_an_exception_passes_through_the_night() -> None:
    of_vera = book(person=Preferences(id="vera", quiet_hours=NIGHT))
    rule = a_rule(cpu_over(90), severity=Severity.CRITICAL)
    assert told(of_vera, history((0, None)), rule) == {"vera-phone": [NOON]}


@pytest.mark.parametrize(
    ("wishes", "store_id", "heard"),
    [
        ({"severities": (Severity.LOW,)}, None, False),
        ({"severities": (Severity.HIGH,)}, None, True),
        ({"store_ids": ("north",)}, "south", False),
        ({"store_ids": ("north",)}, "north", True),
        ({"store_ids": ("acme:north",)}, "north", True),
        ({"store_ids": ("north",)}, None, False),
    ],
)
def test_what_a_person_does_not_want_is_no_message(wishes: dict[str, Any], store_id: str | None, heard: bool) -> None:
    of_vera = book(person=Preferences(id="vera", **wishes))
    assert bool(told(of_vera, history((0, None), store_id=store_id))) is heard


def test_a_person_hears_of_their_stores_alone() -> None:
    of_vera = book(shared(), person=Preferences(id="vera", store_ids=("north",)))
    alerts = [*history((0, None), store_id="north"), *history((300, None), store_id="south")]
    assert told(of_vera, alerts) == {"ops": [at(0), at(300)], "vera-phone": [at(0)]}


def test_a_channel_hears_of_its_severities_alone() -> None:
    assert told(book(shared(severities=(Severity.CRITICAL,))), history((0, None))) == {}


def test_the_channels_of_a_rule_are_told_and_no_others() -> None:
    rule = a_rule(cpu_over(90), channel_ids=("pager",))
    assert told(book(shared(), shared("pager")), history((0, None)), rule) == {"pager": [NOON]}


def test_each_address_of_a_channel_gets_as_many() -> None:
    mail = shared("mail", ChannelKind.EMAIL, to=("a@example.com", "b@example.com"))
    inbox = shared("inbox", ChannelKind.IN_APP)
    assert told(book(mail, inbox), history((0, None))) == {"mail": [NOON], "inbox": [NOON]}


def test_a_receiver_of_machines_hears_of_silence_alone() -> None:
    machine = shared(kind=ChannelKind.WEBHOOK, format=WebhookFormat.MACHINE)
    assert told(book(machine), history((0, 60)), HOT) == {}
    assert told(book(machine), history((0, 60)), QUIET) == {"ops": [at(0), at(60)]}


def test_what_is_muted_is_told_nobody() -> None:
    assert told(book(shared()), history((0, None), muted="too many")) == {}


def test_what_was_told_before_the_time_that_is_asked_for_does_not_count() -> None:
    assert told(book(shared()), history((-600, 60)), span=(NOON, at(600))) == {"ops": [at(60)]}
    assert told(book(shared()), history((-600, None)), span=(NOON, at(600))) == {"ops": []}
