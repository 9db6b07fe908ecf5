"""Running the tests that rules bring along: their histories are replayed, and what came out is held against what was expected.

The beginning is a Monday at midnight UTC. It is looked at each second, until the last step or the last expected time: what a
rule would do behind that is not asked. A device may be silent for 120 s, and has every tag that the rule asks for.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from app.domain.replay import Grid, History, Replay, ReplayedAlert
from app.domain.rule import Rule
from app.domain.rule_tests import ExpectedAlert, RuleTest
from app.domain.stages import Around
from app.domain.subject import Subject, SubjectKind
from app.domain.trial_histories import SILENT_AFTER, histories_of

BEGINNING = datetime(2026, 1, 5, tzinfo=UTC)
SECOND = timedelta(seconds=1)
TENANT = "tenant"
"""What a test calls the tenant as a whole."""

Outcome = tuple[str, int, int | None]
"""Subject, and in seconds after the beginning when it fired and when it ended."""


def run_tests(rule: Rule, tests: Sequence[RuleTest]) -> list[str]:
    """What came out otherwise than expected, a sentence each; nothing where all is as it should be."""
    return [said for place, test in enumerate(tests) for said in run_test(rule, test, test.name or f"test {place + 1}")]


def run_test(rule: Rule, test: RuleTest, name: str) -> list[str]:
    """One test; a rule that cannot be evaluated has failed it."""
    try:
        happened = [_outcome(alert) for alert in _alerts(rule, test)]
    except (ValueError, ArithmeticError, LookupError, TypeError) as error:
        return [f"{name}: the rule cannot be evaluated: {error}"]
    return [f"{name}: {said}" for said in _differences(happened, [_expected(one) for one in test.expect])]


def _alerts(rule: Rule, test: RuleTest) -> Iterator[ReplayedAlert]:
    until = BEGINNING + timedelta(seconds=_length(test))
    grid = Grid(BEGINNING, SECOND)
    for subject, history in histories_of(rule, test.history, BEGINNING, ZoneInfo("UTC")):
        yield from _replayed(rule, subject, history, grid, until)


def _replayed(rule: Rule, subject: Subject, history: History, grid: Grid, until: datetime) -> Sequence[ReplayedAlert]:
    silent_after = SILENT_AFTER if subject.kind is SubjectKind.DEVICE else None
    replay = Replay(
        rule, subject, history, grid, until, Around(most_per_hour=rule.max_alerts_per_hour, silent_after=silent_after)
    )
    replay.run()
    return replay.alerts


def _length(test: RuleTest) -> int:
    times = [step.at for step in test.history]
    times += [at for one in test.expect for at in (one.fired_at, one.resolved_at) if at is not None]
    return max(times, default=0)


def _differences(happened: Sequence[Outcome], expected: Sequence[Outcome]) -> Iterator[str]:
    """Alerts are the same where the subject and the time of firing are."""
    ends = {(subject, fired): ended for subject, fired, ended in happened}
    wanted = {(subject, fired): ended for subject, fired, ended in expected}
    for subject, fired in sorted(wanted.keys() - ends.keys()):
        yield f"{subject} should fire at {fired} s, and does not{_instead(subject, happened)}"
    for subject, fired in sorted(ends.keys() - wanted.keys()):
        yield f"{subject} fires at {fired} s, which is not expected"
    for subject, fired in sorted(wanted.keys() & ends.keys()):
        should, did = wanted[subject, fired], ends[subject, fired]
        if should != did:
            yield f"{subject}, fired at {fired} s, should {_ending(should)}, and does {_ending(did)}"


def _instead(subject: str, happened: Sequence[Outcome]) -> str:
    times = [f"{fired} s" for one, fired, _ in happened if one == subject]
    return f" (it fires at {', '.join(times)})" if times else ""


def _ending(at: int | None) -> str:
    return "still be live" if at is None else f"end at {at} s"


def _outcome(alert: ReplayedAlert) -> Outcome:
    subject = TENANT if alert.subject.kind is SubjectKind.TENANT else alert.subject.id
    return subject, _seconds(alert.fired_at), None if alert.resolved_at is None else _seconds(alert.resolved_at)


def _expected(alert: ExpectedAlert) -> Outcome:
    return alert.subject, alert.fired_at, alert.resolved_at


def _seconds(at: datetime) -> int:
    return round((at - BEGINNING).total_seconds())
