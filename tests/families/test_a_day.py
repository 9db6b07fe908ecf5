"""A day in the life of each family: it fires, holds, recovers and respects its cooldown, to the exact tick.

The day is 2 March 2026, a Monday; times are UTC. A rule tick comes every 15 seconds, a sweep every second.
"""

import random
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from app.domain.alert import Severity
from app.domain.anomaly_history import AnomalyHistory
from app.domain.beat import Beat, HealthStatus
from app.domain.beat_history import AbsenceHistory, GaugeHistory, WindowHistory
from app.domain.conditions.anomaly import Sample
from app.domain.count_history import Arrival, CountHistory
from app.domain.counts import bucket_start
from app.domain.ids import lane_of
from app.domain.operational_event import EventKind
from app.domain.replay import Grid, History, Replay
from app.domain.rule import (
    AbsenceCondition,
    Aggregation,
    AnomalyCondition,
    Comparison,
    CountCondition,
    MetricCondition,
    OutsideHoursCondition,
    RatioCondition,
    Rule,
    ServiceCondition,
    SpikeCondition,
)
from app.domain.service import Service, ServiceTier, of_service, service_id
from app.domain.service_history import ServiceHistory
from app.domain.stages import Around
from app.domain.subject import Subject, of_device, of_store
from tests.domain.making import a_device, a_rule

DAY = datetime(2026, 3, 2, tzinfo=UTC)
TICK, SWEEP, OVERLAP = timedelta(seconds=15), timedelta(seconds=1), timedelta(seconds=5)
BERLIN = ZoneInfo("Europe/Berlin")
TILL = a_device(offline_after=120)
NORTH = of_store("acme", "north")

Fired = tuple[str, str | None]
"""When an alert fired and when it ended, as the clock shows it; a day later has a `+` before it."""


def at(clock: str) -> datetime:
    hour, minute, second = (*map(int, clock.split(":")), 0)[:3]
    return DAY + timedelta(hours=hour, minutes=minute, seconds=second)


def shown(moment: datetime | None) -> str | None:
    return None if moment is None else f"{'+' if moment >= DAY + timedelta(days=1) else ''}{moment:%H:%M:%S}"


def lived(rule: Rule, history: History, subject: Subject, every: timedelta = TICK, days: int = 1) -> list[Fired]:
    """The alerts of the day, by a clock that stands where the tick puts it."""
    replay = Replay(rule, subject, history, Grid(DAY, every), DAY + timedelta(days=days), Around(silent_after=120))
    replay.run()
    return [(str(shown(alert.fired_at)), shown(alert.resolved_at)) for alert in replay.alerts]


def beats(values: Iterable[tuple[datetime, float]]) -> list[Beat]:
    return [
        Beat(
            id=f"beat-{moment}",
            tenant_id="acme",
            device_id="till-1",
            lane=lane_of("acme"),
            timestamp=moment,
            received_at=moment,
            expire_at=moment + timedelta(days=7),
            cpu_usage=value,
        )
        for moment, value in values
    ]


def each_minute(*bad: tuple[str, str], high: float = 95, low: float = 20, since: int = 0) -> list[tuple[datetime, float]]:
    """A value a minute, 7 s after the full one: high from the first to before the second time of each pair."""
    spans = [(at(start), at(end)) for start, end in bad]
    moments = [DAY + timedelta(minutes=minute, seconds=7) for minute in range(since, 24 * 60)]
    return [(moment, high if any(start <= moment < end for start, end in spans) else low) for moment in moments]


def test_absence_misses_a_device_at_its_deadline_and_not_again_while_it_cools_down() -> None:
    rule = a_rule(AbsenceCondition(), cooldown_sec=600)
    silent = [("03:00", "03:10"), ("03:12", "03:15"), ("12:00", "12:02"), ("18:00", "18:30")]
    heard = [moment for moment, value in each_minute(*silent) if value == 20]
    history = AbsenceHistory(AbsenceCondition(), TILL, heard)
    assert lived(rule, history, of_device(TILL), SWEEP) == [
        ("03:01:07", "03:10:07"),  # 120 s after the beat of 02:59:07; back with the one of 03:10:07
        # From 03:12 on it is silent again; the cooldown lasts until 03:20:07, and by then it is back.
        # At 12:02:07 it beats after 180 s: missed at 12:01:07.
        ("12:01:07", "12:02:07"),
        ("18:01:07", "18:30:07"),
    ]


def test_two_rules_of_absence_miss_a_device_each_at_its_own_time() -> None:
    heard = [moment for moment, value in each_minute(("03:00", "03:30")) if value == 20]
    for seconds, fired in ((120, "03:01:07"), (600, "03:09:07")):
        condition = AbsenceCondition(after_sec=seconds)
        history = AbsenceHistory(condition, TILL, heard)
        assert lived(a_rule(condition), history, of_device(TILL), SWEEP) == [(fired, "03:30:07")]


def test_a_metric_fires_once_it_was_bad_for_long_enough_and_recovers_under_its_own_bound() -> None:
    condition = MetricCondition(metric="cpuUsage", comparison=Comparison.GT, threshold=90, recovery_threshold=80)
    rule = a_rule(condition, for_sec=300, cooldown_sec=900)
    values = dict(each_minute(("04:00", "04:04"), ("06:00", "06:10"), ("06:20", "06:22"), ("09:00", "09:30")))
    values |= {moment: 85.0 for moment in values if at("06:10") <= moment < at("06:15")}  # neither bad nor good
    history = GaugeHistory(rule, TILL, beats(sorted(values.items())), OVERLAP)
    assert lived(rule, history, of_device(TILL)) == [
        # 04:00 to 04:04 is under five minutes.
        ("06:05:15", "06:15:15"),  # bad since 06:00:07; good with the beat of 06:15:07, at the tick behind it
        # 06:20 lies in the cooldown, and is over before that is.
        ("09:05:15", "09:30:15"),
    ]


def test_what_is_bad_through_the_cooldown_fires_at_its_end() -> None:
    condition = MetricCondition(metric="cpuUsage", comparison=Comparison.GT, threshold=90)
    rule = a_rule(condition, cooldown_sec=900)
    history = GaugeHistory(rule, TILL, beats(each_minute(("06:00", "06:10"), ("06:12", "07:00"))), OVERLAP)
    assert lived(rule, history, of_device(TILL)) == [("06:00:15", "06:10:15"), ("06:25:15", "07:00:15")]


def test_an_average_fires_when_its_window_says_so_and_keeps_firing_until_it_was_good_for_long_enough() -> None:
    condition = MetricCondition(
        metric="cpuUsage", comparison=Comparison.GT, threshold=50, aggregation=Aggregation.AVG, window_sec=300
    )
    rule = a_rule(condition, keep_firing_sec=120, cooldown_sec=900)
    history = WindowHistory(rule, beats(each_minute(("06:00", "06:30"))))
    # Of five values three are 95 and two are 20: 65, with the beat of 06:02:07. Two and three: 50, which is not over 50.
    assert lived(rule, history, of_device(TILL)) == [("06:02:15", "06:34:15")]


def counted(
    events: Sequence[tuple[datetime, int, int]], condition: CountCondition, known: datetime | None = None
) -> CountHistory:
    arrivals = [Arrival(moment, bucket_start(moment), good, bad) for moment, good, bad in events]
    return CountHistory(condition, arrivals, BERLIN, OVERLAP, known)


def test_a_ratio_fires_over_its_threshold_and_recovers_as_its_window_moves_on() -> None:
    condition = RatioCondition(event=EventKind.PAYMENT, threshold=0.05, window_sec=900, min_samples=10)
    rule = a_rule(condition, severity=Severity.CRITICAL, cooldown_sec=900)
    payments = [(moment, 10, 0) for moment, _ in each_minute()]
    broken = [(moment, 0, 10) for moment, _ in each_minute() if at("10:00") <= moment < at("10:05")]
    after = [(at("10:31:01"), 0, 60)]  # in the cooldown, which ends at 10:35; still bad then
    assert lived(rule, counted(sorted([*payments, *broken, *after]), condition), NORTH) == [
        ("10:00:15", "10:20:00"),  # the five minutes of the failures have left the window at 10:20
        ("10:35:00", "10:50:00"),
    ]


def test_a_spike_fires_over_three_times_the_usual_and_stays_until_a_person_ends_it() -> None:
    condition = SpikeCondition(event=EventKind.REFUND, factor=3)
    rule = a_rule(condition, auto_resolve=False, cooldown_sec=1800)
    usual = [(DAY - timedelta(days=days) + timedelta(minutes=15 * place), 1, 0) for days in range(1, 8) for place in range(96)]
    today = [(DAY + timedelta(minutes=15 * place), 1, 0) for place in range(96)]
    storm = [(at("14:00:30") + timedelta(minutes=minute), 1, 0) for minute in range(30)]
    history = counted(sorted([*usual, *today, *storm]), condition, DAY - timedelta(days=7))
    # Four are usual in the hour: 12 are not over 12, and with the one of 14:08:30 they are 13.
    assert lived(rule, history, NORTH) == [("14:08:30", None)]


def test_sales_while_the_shop_is_closed_fire_and_the_morning_ends_it() -> None:
    condition = OutsideHoursCondition(event=EventKind.SALE, opens="09:00", closes="22:00")
    rule = a_rule(condition, cooldown_sec=3600)
    sales = [
        (at("07:59:59"), 1, 0),  # 08:59:59 in Berlin
        (at("08:00:00"), 5, 0),  # open
        (at("20:59:59"), 5, 0),  # 21:59:59
        (at("21:00:00"), 1, 0),  # closed
    ]
    assert lived(rule, counted(sales, condition), NORTH, days=2) == [
        ("08:00:00", "08:00:30"),
        ("21:00:00", "+08:00:30"),
    ]


def checked(*states: tuple[str, HealthStatus]) -> list[Service]:
    found, status, since = [], HealthStatus.HEALTHY, DAY
    for clock, now in states:
        status, since = (now, at(clock)) if now is not status else (status, since)
        found.append(
            Service(
                id=service_id("acme", "database"),
                tenant_id="acme",
                lane=lane_of("acme"),
                key="database",
                name="Database",
                tier=ServiceTier.CRITICAL,
                status=status,
                since=since,
                changed_at=at(clock),
            )
        )
    return found


def test_a_service_fires_once_it_was_unhealthy_for_a_minute_and_recovers_with_its_check() -> None:
    condition = ServiceCondition(service="database")
    rule = a_rule(condition, for_sec=60, cooldown_sec=300)
    up, down = HealthStatus.HEALTHY, HealthStatus.UNHEALTHY
    states = checked(
        ("01:00:00", up),
        ("02:00:00", down),
        ("02:00:50", up),  # too short
        ("05:00:10", down),
        ("05:04:10", up),
        ("05:05:00", down),  # in the cooldown, which ends at 05:09:15
        ("05:20:00", up),
    )
    history = ServiceHistory(condition, states)
    assert lived(rule, history, of_service(states[0])) == [("05:01:15", "05:04:15"), ("05:09:15", "05:20:00")]


def test_an_anomaly_fires_when_both_horizons_agree_and_recovers_with_the_shorter_one() -> None:
    condition = AnomalyCondition(metric="cpuUsage", window_sec=900)
    rule = a_rule(condition, cooldown_sec=900)
    chance = random.Random(7)
    past = {
        DAY - timedelta(weeks=week) + timedelta(minutes=5 * place): Sample(5, chance.gauss(30, 3))
        for week in range(1, 5)
        for place in range(24 * 12)
    }
    today = {
        start: Sample(5, 90.0 if at("11:00") <= start < at("12:00") else 30.0)
        for start in (DAY + timedelta(minutes=5 * place) for place in range(24 * 12))
    }
    history = AnomalyHistory(condition, {**past, **today}, BERLIN)
    [(fired, ended)] = lived(rule, history, of_device(TILL))
    # The first five minutes that are bad end at 11:05, and are judged ten seconds later at the earliest.
    assert fired >= "11:05:15"
    assert fired <= "11:30:15"
    # All of the shorter window is good again once 12:15 is over.
    assert ended == "12:15:15"
