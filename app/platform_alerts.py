"""Alerts about Fleetbeat itself, in the platform's own tenant: they open, go on and resolve as the watch says."""

from datetime import datetime

import msgspec

from app.context import Context
from app.domain import lifecycle
from app.domain.alert import Alert, Change, Resolution
from app.domain.conditions.observation import Observation
from app.domain.ids import dedup_key, lane_of
from app.domain.judgement import blank_state
from app.domain.platform_rules import SOURCE, platform_rule
from app.domain.self_check import in_time_again
from app.domain.stages import judge
from app.domain.subject import Subject, SubjectKind
from app.domain.tenant import PLATFORM, only
from app.domain.watch import Ongoing, Watch
from app.store.mongo import Session
from app.transitions import Writes, transact

_SCOPE = only(PLATFORM)


async def keep_platform_alerts(context: Context, watch: Watch, now: datetime) -> int:
    """Opens alerts of troubles that go on, and resolves those of troubles that ended; how many transitions that took.

    An alert that a person ended is not opened again while its trouble goes on.
    """
    if not await _changes(context, watch, now, None):
        return 0

    async def work(session: Session) -> Writes:
        return Writes(changes=await _changes(context, watch, now, session))

    return len(await transact(context, lane_of(PLATFORM), work))


async def _changes(context: Context, watch: Watch, now: datetime, session: Session | None) -> list[Change]:
    keys = [_alert_key(key) for key in (*(one.trouble.key for one in watch.ongoing), *watch.ended)]
    live = await context.store.alerts.live(_SCOPE, keys, session=session)
    ids = [one.alert_id for one in watch.ongoing]
    there = await context.store.alerts.get_many(_SCOPE, ids, session=session) if ids else {}
    over = [live[alert_key] for key in watch.ended if (alert_key := _alert_key(key)) in live]
    going_on = [_going_on(one, live.get(_alert_key(one.trouble.key)) or there.get(one.alert_id), now) for one in watch.ongoing]
    return [*(_resolved(alert, now) for alert in over), *(change for change in going_on if change is not None)]


def _going_on(one: Ongoing, alert: Alert | None, now: datetime) -> Change | None:
    seen = _seen(one, now)
    if alert is None:
        return _opened(one, seen, now)
    return lifecycle.repeat(alert, seen, now) if alert.live and one.well_since is None else None


def _opened(one: Ongoing, seen: Observation, now: datetime) -> Change:
    rule = platform_rule(one.trouble, now)
    subject = Subject(tenant_id=PLATFORM, kind=SubjectKind.SERVICE, id=one.trouble.subject, name=one.trouble.subject)
    verdict = judge(rule, blank_state(rule, subject), seen, None, now)
    change = lifecycle.open_alert(one.alert_id, rule, subject, seen, verdict, now)
    return msgspec.structs.replace(change, after=msgspec.structs.replace(change.after, source=SOURCE))


def _resolved(alert: Alert, now: datetime) -> Change:
    return lifecycle.resolve(alert, None, in_time_again(alert.rule_key, alert.subject_id), Resolution.RECOVERED, now)


def _alert_key(trouble_key: tuple[str, str]) -> tuple[str, str]:
    rule_key, subject = trouble_key
    return PLATFORM, dedup_key(rule_key, SubjectKind.SERVICE.value, subject)


def _seen(one: Ongoing, now: datetime) -> Observation:
    return Observation(
        at=now,
        breach=True,
        good=False,
        reason=one.trouble.text,
        since=one.since,
        value=one.trouble.late_sec,
        threshold=one.trouble.bound_sec,
        unit="s",
        still=True,
    )
