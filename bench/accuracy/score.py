"""Alerts against labels.

An alert is right (true positive) where an incident names its rule and its subject and is going on when the alert fires, or is
over for no longer than a grace: the rule's own window, at least ten minutes. Every other alert is a false positive. An
incident is caught where its own rule fires on one of its subjects in that time, and missed otherwise.

The false-positive share is false alerts among all alerts; the bounds are for it. Beside it stands a stricter one, for which
a caught incident counts once however many alerts it caused, so that a cut line with its twenty alerts does not dilute
anything: false alerts among false alerts and caught incidents.

Quiet days make the confusion whole: the days of a rule and subject on which nothing was wrong and nothing was said.
"""

from collections.abc import Mapping, Sequence
from statistics import median

import msgspec

from bench.accuracy.calendar import DAY, DAYS, START
from bench.accuracy.detect import Alarm
from bench.accuracy.incidents import Incident

GRACE = 600


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One rule, or several together. `delay_sec` is the median time from the start of an incident to its first alert."""

    name: str
    incidents: int
    caught: int
    missed: int
    right: int
    wrong: int
    quiet_days: int | None
    delay_sec: float | None

    @property
    def share(self) -> float:
        return _share(self.wrong, self.right)

    @property
    def strict_share(self) -> float:
        return _share(self.wrong, self.caught)

    @property
    def recall(self) -> float:
        return self.caught / self.incidents if self.incidents else 1.0


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """What the score has to know of a rule: its window in seconds, and how many subjects it is for."""

    key: str
    window_sec: int
    subjects: int


class Score(msgspec.Struct, frozen=True, kw_only=True):
    rules: list[Row]
    critical: Row
    all: Row
    missed: list[Incident]
    wrong: list[Alarm]


def score(rules: Sequence[Rule], incidents: Sequence[Incident], alarms: Sequence[Alarm]) -> Score:
    windows = {rule.key: rule.window_sec for rule in rules}
    matched = [(alarm, _cause(alarm, incidents, windows)) for alarm in alarms]
    first: dict[int, float] = {}
    for alarm, cause in matched:
        if cause is not None and cause.rule == alarm.rule:
            first.setdefault(cause.number, alarm.fired_at)
    subjects = {rule.key: rule.subjects for rule in rules}
    rows = [
        _row(
            rule.key,
            [one for one in incidents if one.rule == rule.key],
            [pair for pair in matched if pair[0].rule == rule.key],
            first,
            {rule.key: rule.subjects},
        )
        for rule in rules
    ]
    critical = [pair for pair in matched if pair[0].severity == "critical"]
    numbers = {cause.number for _, cause in critical if cause is not None}
    severe = {alarm.rule for alarm, _ in critical}
    of_critical = [one for one in incidents if one.number in numbers or (one.rule in severe and one.number not in first)]
    return Score(
        rules=rows,
        critical=_row("critical", of_critical, critical, first, {}),
        all=_row("all rules", incidents, matched, first, subjects),
        missed=[one for one in incidents if one.number not in first],
        wrong=[alarm for alarm, cause in matched if cause is None],
    )


def _cause(alarm: Alarm, incidents: Sequence[Incident], windows: Mapping[str, int]) -> Incident | None:
    """The incident that an alert is about; its own rule's before one that it only may be about."""
    grace = max(GRACE, windows[alarm.rule])
    about = [
        one
        for one in incidents
        if alarm.subject in one.subjects
        and (alarm.rule == one.rule or alarm.rule in one.also)
        and one.start <= alarm.fired_at <= one.end + grace
    ]
    return min(about, key=lambda one: alarm.rule != one.rule, default=None)


def _row(
    name: str,
    incidents: Sequence[Incident],
    matched: Sequence[tuple[Alarm, Incident | None]],
    first: Mapping[int, float],
    subjects: Mapping[str, int],
) -> Row:
    wrong = [alarm for alarm, cause in matched if cause is None]
    delays = [first[one.number] - one.start for one in incidents if one.number in first]
    loud = {(alarm.rule, alarm.subject, _day(alarm.fired_at)) for alarm in wrong}
    for one in incidents:
        loud |= {(one.rule, subject, day) for subject in one.subjects for day in range(_day(one.start), _day(one.end) + 1)}
    return Row(
        name=name,
        incidents=len(incidents),
        caught=len(delays),
        missed=len(incidents) - len(delays),
        right=len(matched) - len(wrong),
        wrong=len(wrong),
        quiet_days=sum(subjects.values()) * DAYS - len(loud) if subjects else None,
        delay_sec=median(delays) if delays else None,
    )


def _day(at: float) -> int:
    return int(at - START) // DAY


def _share(wrong: int, right: int) -> float:
    return wrong / (wrong + right) if wrong else 0.0
