"""Many beats in one tick: each is judged at its own time, and none twice."""

from app.domain.alert import AlertEventType
from app.domain.conditions.metric import observe_beat
from app.domain.conditions.observation import Observation
from app.domain.judgement import Sighting, decide
from app.domain.rule import MetricCondition, Rule
from tests.domain.making import a_beat, a_rule, a_subject, at, cpu_over


def seen_of(rule: Rule, *beats: tuple[float, float]) -> list[Observation]:
    assert isinstance(rule.condition, MetricCondition)
    seen = [observe_beat(rule.condition, a_beat(seconds, cpu_usage=cpu)) for seconds, cpu in beats]
    return [one for one in seen if one is not None]


def test_a_good_beat_between_two_ticks_ends_the_wait() -> None:
    rule = a_rule(cpu_over(90), for_sec=10)
    sighting = Sighting(rule, a_subject(), seen_of(rule, (3, 95), (8, 20), (14, 95)))
    changes, state = decide(sighting, None, None, at(15))
    assert changes == []
    assert state is not None
    assert state.pending_since == at(14)
    assert state.next_due == at(24)


def test_bad_and_good_again_in_one_tick_opens_and_resolves_once() -> None:
    rule = a_rule(cpu_over(90))
    changes, state = decide(Sighting(rule, a_subject(), seen_of(rule, (3, 95), (8, 20))), None, None, at(15))
    assert [change.type for change in changes] == [AlertEventType.OPENED, AlertEventType.RESOLVED]
    assert state is not None
    assert not state.firing


def test_beats_that_were_judged_are_not_judged_again() -> None:
    rule = a_rule(cpu_over(90))
    sighting = Sighting(rule, a_subject(), seen_of(rule, (3, 95), (8, 20)))
    _, state = decide(sighting, None, None, at(15))
    assert decide(sighting, state, None, at(30)) == ([], None)


def test_a_breach_that_goes_on_is_not_worth_a_write() -> None:
    rule = a_rule(cpu_over(90))
    changes, state = decide(Sighting(rule, a_subject(), seen_of(rule, (3, 95))), None, None, at(15))
    live = changes[0].after
    assert decide(Sighting(rule, a_subject(), seen_of(rule, (18, 96))), state, live, at(30)) == ([], None)


def test_a_long_breach_is_touched_each_minute_and_told_each_hour() -> None:
    rule = a_rule(cpu_over(90))
    changes, state = decide(Sighting(rule, a_subject(), seen_of(rule, (0, 95))), None, None, at(0))
    live, told = changes[0].after, 0
    for minute in range(1, 121):
        changes, new_state = decide(Sighting(rule, a_subject(), seen_of(rule, (minute * 60, 95))), state, live, at(minute * 60))
        state = new_state or state
        for change in changes:
            live = change.after
            told += change.type is AlertEventType.REPEATED
    assert live.occurrences == 121
    assert live.version == 1
    assert told == 2
