"""Whatever alerts, receivers, people and workers do, in whatever order and at once: everybody is told, in order, and in few words."""

import asyncio
import json
import os
import re
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Iterable
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from app.domain.alert import AlertEvent, AlertEventType, Severity
from app.domain.delivery import HANDED_OVER, Delivery, DeliveryStatus, Line
from app.domain.message import TEST_EVENT
from app.domain.pace import WINDOW, is_paced
from app.domain.telling import BEGINS
from tests.delivery.town import Town, a_town
from tests.delivery.world import World

HISTORIES = int(os.environ.get("HISTORIES", "6"))
"""More of them find more: `HISTORIES=200 make test TESTS=tests/delivery/test_whatever_happens.py`."""

CHANNELS = ("spare", "web", "slack", "inside", "mats-1", "mats-2", "vera")
Step = Callable[[Town], Awaitable[Any]]

places = st.integers(0, 9)
severities = st.sampled_from([Severity.CRITICAL, Severity.HIGH, Severity.LOW])
answers = st.sampled_from([200, 200, 200, 404, 429, 500, 503, "reset", "half", "hang"])


def _open(place: int, severity: Severity, held_sec: int, folded: bool) -> Step:
    return lambda town: town.open(place, severity, held_sec, folded=folded)


def _move(name: str, place: int) -> Step:
    return lambda town: town.move(place, getattr(town, name))


def _severity(severity: Severity, place: int) -> Step:
    return lambda town: town.move(place, town.severity(severity))


def _answer(some: list[int | str]) -> Step:
    async def step(town: Town) -> None:
        town.world.receiver.answers += some

    return step


def _down(name: str, answer: int) -> Step:
    async def step(town: Town) -> None:
        path = f"/hook/{name}"
        if town.world.receiver.always.pop(path, None) is None:
            town.world.receiver.always[path] = answer

    return step


def _channel(name: str, what: str) -> Step:
    return lambda town: town.delete(name) if what == "delete" else town.switch(name, on=what == "on")


opens = st.builds(_open, places, severities, st.sampled_from([0, 0, 0, 2]), st.sampled_from([False, False, False, True]))
moves = st.builds(_move, st.sampled_from(["end", "end", "acknowledge", "reopen", "fold", "unfold"]), places)
turns = st.builds(_severity, severities, places)
alerts = opens | opens | moves | moves | turns
receivers = st.builds(_answer, st.lists(answers, max_size=8)) | st.builds(
    _down, st.sampled_from(CHANNELS), st.sampled_from([404, 503])
)
switches = st.builds(_channel, st.sampled_from(CHANNELS), st.sampled_from(["off", "on", "on", "delete"]))
retries = places.map(lambda place: lambda town: town.retry(place))
couriers: st.SearchStrategy[Step] = st.just(lambda town: town.deliver())
killed = st.integers(1, 70).map(lambda length: lambda town: town.deliver_until_killed(length))
stopped = st.integers(1, 400).map(lambda turns: lambda town: town.deliver_until_stopped(turns))
pauses = st.sampled_from([1, 5, 20, 46, 61, 300, 900]).map(lambda seconds: [lambda town: town.pass_time(seconds)])
at_once = st.lists(alerts | alerts | couriers | killed | stopped | receivers | retries | switches, min_size=1, max_size=5)
histories = st.lists(at_once | pauses | couriers.map(lambda one: [one]), min_size=8, max_size=30)


@settings(max_examples=HISTORIES)
@given(history=histories)
@pytest.mark.timeout(240 + 15 * HISTORIES)
async def test_everybody_is_told_in_order_and_in_few_words(world: World, history: list[list[Step]]) -> None:
    async with a_town(world) as town:
        for steps in history:
            await asyncio.gather(*(step(town) for step in steps))
            town.look()
            check_rows(await town.rows())
        await town.settle()
        rows = await town.rows()
        events = await town.context.store.events.after({rows[0].lane: 0}, 10_000) if rows else []
        check_rows(rows)
        check_ends(town, rows, events)
        check_order(town, rows)
        check_words(town)
        check_pace(town)
        check_timeline(town, rows, events)


def check_rows(rows: list[Delivery]) -> None:
    """Whatever waits, waits for something."""
    by_id = {one.id: one for one in rows}
    for one in rows:
        assert (one.skipped_because is not None) is (one.status is DeliveryStatus.SKIPPED), one
        if one.bundle_id is not None:
            bundle = by_id[one.bundle_id]
            assert (bundle.channel_id, bundle.address) == (one.channel_id, one.address)
            assert one.alert_id in bundle.alert_ids
        if not one.is_finished and one.next_attempt_at is None:
            ahead = any(other.line == one.line and other.seq < one.seq and not other.is_finished for other in rows)
            assert ahead or (not by_id[one.bundle_id or one.id].is_finished and one.bundle_id is not None), one


def check_ends(town: Town, rows: list[Delivery], events: list[AlertEvent]) -> None:
    assert all(one.is_finished for one in rows)
    for one in rows:
        if one.status is DeliveryStatus.FAILED and one.alert_id is not None:
            others = [other for other in rows if (other.alert_id, other.seq) == (one.alert_id, one.seq) and other.id != one.id]
            assert any(other.channel_id != one.channel_id for other in others), one
    last = {event.alert_id: event for event in events if event.type in (*BEGINS, AlertEventType.RESOLVED)}
    for line in lines_of(rows).values():
        told = [one for one in line if one.status is DeliveryStatus.SENT]
        event = last.get(line[0].alert_id or "")
        if told and event is not None and event.type is AlertEventType.RESOLVED and not told[-1].ends:
            [name] = [name for name, channel in town.channels.items() if channel.id == line[0].channel_id]
            ends = [one for one in line if one.ends and one.seq > told[-1].seq]
            excused = name in town.meddled or any(one.skipped_because == HANDED_OVER for one in ends)
            assert excused or any(one.status is not DeliveryStatus.SKIPPED for one in ends), line


def check_order(town: Town, rows: list[Delivery]) -> None:
    """The last try of what came before goes before the first of what comes after; where a line was begun anew, so do those since."""
    tries: dict[str, list[int]] = defaultdict(list)
    for place, (_, call) in enumerate(town.received):
        tries[call.headers["Idempotency-Key"]].append(place)
    for key, line in lines_of(rows).items():
        cuts = [0, *sorted(town.anew[key]), len(town.received)]
        for start, end in pairwise(cuts):
            before, bundle_id = -1, None
            for one in line:
                places_of = sorted([*tries.get(one.id, []), *tries.get(one.bundle_id or "", [])])
                places_of = [place for place in places_of if start <= place < end]
                if places_of:
                    together = one.bundle_id is not None and one.bundle_id == bundle_id
                    assert together or before < places_of[0], (one, line)
                    before, bundle_id = places_of[-1], one.bundle_id


def lines_of(rows: Iterable[Delivery]) -> dict[Line, list[Delivery]]:
    lines: dict[Line, list[Delivery]] = {}
    for one in sorted(rows, key=lambda one: one.seq):
        if one.alert_id is not None:
            lines.setdefault(one.line, []).append(one)
    return lines


def check_words(town: Town) -> None:
    """Whatever is said again under a key says the same, but for who else is told, which is as it then is."""
    said: dict[str, Any] = {}
    for _, call in town.received:
        words = json.loads(re.sub(r"\\nalso told: [^\\]*", "", call.body.decode()))
        assert words.get("event") != TEST_EVENT
        key = call.headers["Idempotency-Key"]
        assert said.setdefault(key, words) == words, key


def check_pace(town: Town) -> None:
    """Three messages in a minute; who was killed, and who asked for it again, may have cost one more each."""
    first: dict[str, dict[str, Any]] = defaultdict(dict)
    for at, call in town.received:
        first[call.path].setdefault(call.headers["Idempotency-Key"], at)
    paced = {f"/hook/{name}" for name, one in town.channels.items() if is_paced(one.kind)}
    for path in paced:
        times = sorted(first[path].values())
        for start in times:
            count = sum(start <= at < start + WINDOW for at in times)
            assert count <= 3 + town.kills + len(town.retried), (path, times)


def check_timeline(town: Town, rows: list[Delivery], events: list[AlertEvent]) -> None:
    """The record says once what became of each."""
    noted = Counter((str((event.detail or {}).get("deliveryId")), event.type) for event in events)
    again = Counter(town.retried)
    for one in rows:
        if one.alert_id is None:
            continue
        sent, dead = noted[one.id, AlertEventType.NOTIFIED], noted[one.id, AlertEventType.DELIVERY_DEAD]
        assert sent == (one.status is DeliveryStatus.SENT), (one, sent)
        given_up = one.status in (DeliveryStatus.DEAD, DeliveryStatus.FAILED)
        assert dead == given_up if not again[one.id] else dead <= again[one.id] + given_up, (one, dead)
