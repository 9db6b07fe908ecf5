"""What a rule remembers of a subject between two looks: when it began, when it ended, and when time alone may change it."""

from datetime import datetime, timedelta

import msgspec

from app.domain import flapping
from app.domain.alert import Alert
from app.domain.conditions.observation import Nothing, Seen, is_worth_watching
from app.domain.rule import NoDataPolicy, Rule, RuleState

REMEMBER = timedelta(seconds=30)
"""How long an ended state is kept at least: longer than the overlap of two reads of the same beats."""

HOUR = timedelta(hours=1)


def end(rule: Rule, state: RuleState, now: datetime) -> RuleState:
    """What a rule remembers once its alert has ended, by whatever hand: a cooldown, and a look when that is over."""
    until = now + timedelta(seconds=rule.cooldown_sec) if rule.cooldown_sec else None
    ended = msgspec.structs.replace(
        state, firing=False, pending_since=None, good_since=None, cooldown_until=until, remember_until=now + REMEMBER
    )
    return msgspec.structs.replace(ended, next_due=until or _forgotten_at(ended))


def turned(state: RuleState, bad: bool, now: datetime) -> RuleState:
    """Notes a change between good and bad, and whether there were too many of them."""
    if state.bad is bad:
        return state
    turns = (*state.turns, now)[-flapping.STATES :]
    return msgspec.structs.replace(state, bad=bad, turns=turns, flapping=flapping.is_flapping(turns, now, state.flapping))


def follow(state: RuleState, live: Alert | None, now: datetime) -> RuleState:
    """Drops what the world has overtaken: an alert that is gone is not firing, a cooldown that is over is forgotten."""
    if state.firing and live is None:
        state = msgspec.structs.replace(state, firing=False, pending_since=None, good_since=None)
    if state.cooldown_until is not None and state.cooldown_until <= now:
        state = msgspec.structs.replace(state, cooldown_until=None)
    if state.remember_until is not None and state.remember_until <= now:
        state = msgspec.structs.replace(state, remember_until=None)
    if state.opened:
        state = msgspec.structs.replace(state, opened=tuple(at for at in state.opened if now - at < HOUR))
    if not state.turns:
        return state
    turns = flapping.still_counted(state.turns, now)
    return msgspec.structs.replace(state, turns=turns, flapping=flapping.is_flapping(turns, now, state.flapping))


def remember(
    rule: Rule, state: RuleState, seen: Seen, now: datetime, silent_after: int | None, until: datetime | None
) -> RuleState:
    """The state to keep, with the time of the next look: the earliest at which time alone may change the outcome.

    `until` is when a wait is over; after `silent_after` seconds without a value the subject has said nothing.
    """
    heard_at = _heard_at(rule, state, seen) if silent_after is not None else None
    silent_at = None if heard_at is None or silent_after is None else heard_at + timedelta(seconds=silent_after)
    watch_until = seen.look_again if is_worth_watching(seen) or state.firing else None
    value = None if isinstance(seen, Nothing) else seen.value
    calm = flapping.calm_at(state.turns, now) if state.flapping else None
    forgotten = None if state.firing else _forgotten_at(state)
    ends = (until, state.cooldown_until, watch_until, silent_at, calm, forgotten)
    next_due = min((at for at in ends if at is not None and at > now), default=None)
    return msgspec.structs.replace(state, heard_at=heard_at, watch_until=watch_until, value=value, next_due=next_due)


def _heard_at(rule: Rule, state: RuleState, seen: Seen) -> datetime | None:
    """When a value last came, for rules that mind silence."""
    minds = rule.no_data is NoDataPolicy.ALERT or (rule.no_data is NoDataPolicy.RESOLVE and state.firing)
    if not minds:
        return None
    if isinstance(seen, Nothing):
        return state.heard_at
    return state.heard_at or seen.since if seen.still else seen.at


def _forgotten_at(state: RuleState) -> datetime | None:
    """When a state without an alert is to be looked at again, to be forgotten."""
    ends = [at for at in (state.cooldown_until, state.remember_until) if at is not None]
    ends += [flapping.forgotten_at(state.turns)] if state.turns else []
    ends += [state.opened[-1] + HOUR] if state.opened else []
    return max(ends, default=None)
