"""Whatever devices, rules and people do, in whatever order and at once: what alerts and their record promise holds."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any

import msgspec
from hypothesis import given, settings, strategies as st

from app import alert_actions
from app.domain.alert import Alert, AlertEvent, AlertEventType, AlertStatus, Resolution
from app.domain.rule import AbsenceCondition
from app.domain.tenant import EVERY_TENANT
from app.errors import ConflictError
from app.store.encoding import from_document
from tests.cast import mate, owner
from tests.domain.making import a_rule, cpu_over
from tests.evaluation.fleet import Fleet

DEVICES = ("till-1", "till-2")
UNVERSIONED = (
    AlertEventType.COMMENTED,
    AlertEventType.REPEATED,
    AlertEventType.FLAPPING,
    AlertEventType.FLAPPING_ENDED,
)
LAZY = ("last_seen", "occurrences", "value", "message")
"""What a repeated breach may move without a record."""

Step = Callable[[Fleet], Awaitable[Any]]


def _on_alert(act: Callable[[Fleet, str], Awaitable[Any]], place: int) -> Step:
    """Somebody acts on one of the alerts that there ever were; what is refused is refused."""

    async def step(fleet: Fleet) -> None:
        alerts = await everything(fleet)
        if alerts:
            with suppress(ConflictError):
                await act(fleet, alerts[place % len(alerts)].id)

    return step


ACTIONS: list[Callable[[Fleet, str], Awaitable[Any]]] = [
    lambda fleet, one: alert_actions.acknowledge_alert(fleet.context, mate, one, None, None, None),
    lambda fleet, one: alert_actions.acknowledge_alert(
        fleet.context, owner, one, None, fleet.clock.now() + timedelta(seconds=7), None
    ),
    lambda fleet, one: alert_actions.unacknowledge_alert(fleet.context, mate, one, None),
    lambda fleet, one: alert_actions.resolve_alert(fleet.context, owner, one, "why", Resolution.MANUAL, None),
    lambda fleet, one: alert_actions.reopen_alert(fleet.context, mate, one, "why", None),
    lambda fleet, one: alert_actions.assign_alert(fleet.context, owner, one, "vera", None),
    lambda fleet, one: alert_actions.comment_alert(fleet.context, mate, one, "hm"),
]


def _beat(device: str, cpu: int) -> Step:
    return lambda fleet: fleet.beat(device, cpu_usage=cpu)


beats = st.builds(_beat, st.sampled_from(DEVICES), st.sampled_from([20, 60, 95]))
looks: st.SearchStrategy[Step] = st.sampled_from(
    [
        lambda fleet: fleet.sweep(),
        lambda fleet: fleet.judge(),
        lambda fleet: alert_actions.expire_acknowledgements(fleet.context, fleet.clock.now()),
    ]
)
actions = st.builds(_on_alert, st.sampled_from(ACTIONS), st.integers(0, 9))
pauses = st.integers(1, 15).map(lambda seconds: lambda fleet: fleet.pass_time(seconds))
at_once = st.lists(beats | looks | actions, min_size=1, max_size=4)
histories = st.lists(at_once | pauses.map(lambda pause: [pause]), min_size=10, max_size=30)


async def everything(fleet: Fleet) -> list[Alert]:
    kept = fleet.context.mongo.tenant_collection("provider_alerts")
    return [from_document(row, Alert) for row in await kept.find(EVERY_TENANT, {}, sort=[("_id", 1)])]


def check_alerts(alerts: list[Alert]) -> None:
    live = [alert.dedup_key for alert in alerts if alert.live]
    assert len(live) == len(set(live))
    assert all(alert.live is (alert.status is not AlertStatus.RESOLVED) for alert in alerts)


def check_record(alerts: list[Alert], events: list[AlertEvent], before: int) -> None:
    assert [event.seq for event in events] == list(range(before + 1, before + len(events) + 1))
    by_id = {alert.id: alert for alert in alerts}
    last: dict[str, Alert] = {}
    for event in events:
        earlier = last.get(event.alert_id)
        assert (event.type is AlertEventType.OPENED) is (earlier is None)
        if earlier is not None:
            assert event.before is not None
            assert (event.before.status, event.before.assignee) == (earlier.status, earlier.assignee)
            assert event.alert.version == earlier.version + (event.type not in UNVERSIONED)
        last[event.alert_id] = event.alert
    # The record alone rebuilds every alert, and knows of no other.
    assert {key: told(alert) for key, alert in last.items()} == {key: told(alert) for key, alert in by_id.items()}


def told(alert: Alert) -> dict[str, Any]:
    return {name: value for name, value in msgspec.structs.asdict(alert).items() if name not in LAZY}


async def begin(fleet: Fleet) -> int:
    """As if nothing had been before, but for time and the lane's counter; where that stands."""
    for name in ("provider_alerts", "alert_events", "rule_states", "devices", "device_heartbeats", "leases", "alert_rules"):
        await fleet.context.mongo.database[name].delete_many({})
    rules = fleet.context.store.rules
    await rules.insert(a_rule(AbsenceCondition(), key="device_offline", id="r-1", cooldown_sec=10))
    await rules.insert(a_rule(cpu_over(90, recovery_threshold=50), key="cpu_high", id="r-2", for_sec=5, cooldown_sec=10))
    await fleet.add(*DEVICES, offline_after=5)
    return (await fleet.context.store.events.positions())[fleet.lane]


@settings(max_examples=25)
@given(history=histories)
async def test_one_live_alert_of_a_key_and_a_record_that_tells_all(fleet: Fleet, history: list[list[Step]]) -> None:
    before = await begin(fleet)
    for steps in history:
        await asyncio.gather(*(step(fleet) for step in steps))
        check_alerts(await everything(fleet))
    check_record(await everything(fleet), await fleet.context.store.events.after({fleet.lane: before}, 10_000), before)
