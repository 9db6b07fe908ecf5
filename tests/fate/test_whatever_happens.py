"""Whatever devices and workers do, in whatever order and at once: nobody is lost under a parent, and the record tells all."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings, strategies as st

from app.alert_actions import resolve_alert
from app.domain.alert import Alert, Resolution
from app.domain.fate import SOURCE, is_told
from app.domain.rule import AbsenceCondition
from app.errors import ConflictError
from tests.cast import owner
from tests.domain.making import a_rule
from tests.evaluation.fleet import Fleet
from tests.fate.story import beat_all, everything, mend, tills

TILLS, KIOSKS, GATES = tills("till", 3), tills("kiosk", 3), tills("gate", 3)
DEVICES = (*TILLS, *KIOSKS, *GATES)
LAZY = {"last_seen", "occurrences", "value", "message", "title"}
"""What may move without a record; of a parent its counts too."""

Step = Callable[[Fleet], Awaitable[Any]]


def _beat(names: list[str]) -> Step:
    return lambda fleet: beat_all(fleet, tuple(names))


def _end_parent(place: int) -> Step:
    async def step(fleet: Fleet) -> None:
        found = [alert for alert in await everything(fleet) if alert.source == SOURCE]
        if found:
            with suppress(ConflictError):
                await resolve_alert(fleet.context, owner, found[place % len(found)].id, "why", Resolution.MANUAL, None)

    return step


beats = st.lists(st.sampled_from(DEVICES), min_size=1, max_size=9, unique=True).map(_beat)
looks: st.SearchStrategy[Step] = st.sampled_from([lambda fleet: fleet.sweep(), mend])
people = st.integers(0, 5).map(_end_parent)
pauses = st.sampled_from([1, 2, 5, 61]).map(lambda seconds: lambda fleet: fleet.pass_time(seconds))
at_once = st.lists(beats | looks | looks | people, min_size=1, max_size=4)
histories = st.lists(at_once | pauses.map(lambda pause: [pause]), min_size=10, max_size=25)


async def begin(fleet: Fleet) -> int:
    for name in ("provider_alerts", "alert_events", "rule_states", "devices", "device_heartbeats", "leases", "alert_rules"):
        await fleet.context.mongo.database[name].delete_many({})
    await fleet.context.store.rules.insert(a_rule(AbsenceCondition(), key="device_offline", id="r-1", cooldown_sec=10))
    await fleet.context.store.tenants.change("acme", {"shared_fate_min": 2})
    await fleet.add(*TILLS, offline_after=5, store_id="north", app_version="3.1.0")
    await fleet.add(*KIOSKS, offline_after=5, store_id="north", gateway_id="gw-1", app_version="3.2.0")
    await fleet.add(*GATES, offline_after=5, store_id="south", app_version="3.2.0")
    return (await fleet.context.store.events.positions())[fleet.lane]


def check_families(alerts: list[Alert]) -> None:
    by_id = {alert.id: alert for alert in alerts}
    live = [alert.dedup_key for alert in alerts if alert.live]
    assert len(live) == len(set(live))
    for alert in alerts:
        if alert.parent_id is not None:
            parent = by_id[alert.parent_id]
            assert parent.source == SOURCE
            assert parent.id != alert.id
            # A gateway's parent may be a store's; there is no further generation.
            assert parent.parent_id is None or by_id[parent.parent_id].parent_id is None


def told(alert: Alert) -> dict[str, Any]:
    lazy = LAZY | {"details"} if alert.source == SOURCE else LAZY
    return {name: value for name, value in msgspec.structs.asdict(alert).items() if name not in lazy}


def top(alert: Alert, alerts: list[Alert]) -> Alert:
    by_id = {one.id: one for one in alerts}
    while alert.parent_id is not None:
        alert = by_id[alert.parent_id]
    return alert


@settings(max_examples=6)
@given(history=histories)
@pytest.mark.timeout(120)
async def test_nobody_is_lost_under_a_parent(fleet: Fleet, history: list[list[Step]]) -> None:
    before = await begin(fleet)
    for steps in history:
        await asyncio.gather(*(step(fleet) for step in steps))
        check_families(await everything(fleet))
    # One device alone stays down, for longer than any window, hold or cooldown.
    await beat_all(fleet, DEVICES)
    for _ in range(24):
        await fleet.pass_time(4)
        await beat_all(fleet, DEVICES[1:])
        await fleet.sweep()
        await mend(fleet)
    alerts = await everything(fleet)
    check_families(alerts)
    [alone] = [alert for alert in alerts if alert.live]
    assert alone.subject_id == DEVICES[0]
    assert is_told(top(alone, alerts), fleet.clock.now())
    assert alone.parent_id is None
    events = await fleet.context.store.events.after({fleet.lane: before}, 10_000)
    last = {event.alert_id: event.alert for event in events}
    assert {key: told(alert) for key, alert in last.items()} == {alert.id: told(alert) for alert in alerts}
