"""An event looks only at streams that may want it, and no stream that wants it is left out."""

import asyncio
import itertools
import random
from collections.abc import Iterator
from contextlib import AsyncExitStack

import msgspec
import pytest

from app.domain.alert import Alert, AlertEvent, AlertEventType, AlertStatus, Filterable, Severity
from app.domain.alert_filter import AlertFilter, event_matches
from app.domain.ids import lane_of, new_id
from app.domain.subject import SubjectKind
from app.domain.tenant import EVERY_TENANT, Role, Scope, only
from app.realtime.hub import Hub
from app.realtime.interests import places_in, places_of
from app.realtime.thresholds import Thresholds
from tests.cast import NOW, both, owner, person, root
from tests.realtime.log import Log, kinds, places, subscribed

TENANTS = ("acme", "umbrella", "initech")
NARROW = (
    AlertFilter(),
    AlertFilter(device_ids=("till-1",)),
    AlertFilter(device_ids=("till-2", "till-3")),
    AlertFilter(severity=(Severity.CRITICAL,)),
    AlertFilter(severity=(Severity.HIGH, Severity.LOW), device_ids=("till-1", "till-2")),
    AlertFilter(rule_keys=("quiet",)),
    AlertFilter(rule_keys=("another",)),
    AlertFilter(store_ids=("s1",)),
    AlertFilter(status=(AlertStatus.OPEN,)),
    AlertFilter(search="says"),
)


def events(chance: random.Random) -> Iterator[AlertEvent]:
    while True:
        device = chance.random() < 0.7
        alert = Alert(
            id=new_id(NOW),
            tenant_id=chance.choice(TENANTS),
            rule_key=chance.choice(("quiet", "another", "third")),
            dedup_key="x",
            subject_kind=SubjectKind.DEVICE if device else SubjectKind.SERVICE,
            subject_id=chance.choice(("till-1", "till-2", "till-3", "till-4")),
            store_id=chance.choice((None, "s1", "s2")),
            severity=chance.choice(list(Severity)),
            severity_rank=0,
            status=chance.choice(list(AlertStatus)),
            live=True,
            title="Quiet",
            message="It says nothing",
            first_seen=NOW,
            last_seen=NOW,
        )
        before = Filterable(
            status=chance.choice(list(AlertStatus)), severity=chance.choice(list(Severity)), assignee=None, folded=False
        )
        yield AlertEvent(
            id="e",
            lane=lane_of(alert.tenant_id),
            seq=1,
            tenant_id=alert.tenant_id,
            alert_id=alert.id,
            type=AlertEventType.COMMENTED,
            at=NOW,
            alert=alert,
            before=before if chance.random() < 0.5 else None,
        )


@pytest.mark.parametrize("seed", range(5))
def test_who_wants_an_event_is_filed_where_it_is_looked_for(seed: int) -> None:
    scopes = (EVERY_TENANT, only("acme"), Scope(frozenset(TENANTS)))
    wanted = 0
    for event in itertools.islice(events(random.Random(seed)), 300):
        places = set(places_in(event))
        for scope, chosen in itertools.product(scopes, NARROW):
            if scope.covers(event.tenant_id) and event_matches(chosen, event):
                wanted += 1
                assert places & set(places_of(scope, chosen))
    assert wanted > 500


def test_a_filter_that_names_very_much_is_filed_by_its_tenants() -> None:
    devices = tuple(f"till-{number}" for number in range(200))
    assert len(places_of(only("acme"), AlertFilter(device_ids=devices))) == 200
    assert places_of(Scope(frozenset(TENANTS)), AlertFilter(device_ids=devices)) == [(one, "", "") for one in sorted(TENANTS)]


def test_a_filter_that_says_something_twice_is_filed_once_and_taken_out(hub: Hub) -> None:
    chosen, interests = AlertFilter(device_ids=("till-1", "till-1", "till-2")), hub.follower.interests
    assert places_of(only("acme"), chosen) == [("acme", "device", "till-1"), ("acme", "device", "till-2")]
    with interests.of(only("acme"), chosen) as interest:
        lane = lane_of("acme")
        interest.resting = True
        assert interests.resting_in(lane) == 1
    assert interests.resting_in(lane) == 0


async def test_an_event_is_held_only_against_filters_that_may_match(hub: Hub, log: Log) -> None:
    shops = [person(f"p{number}", Role.VIEWER, f"shop-{number}") for number in range(40)]
    async with AsyncExitStack() as stack:
        for shop in shops:
            await stack.enter_async_context(subscribed(hub, shop))
        for number in range(40):
            await stack.enter_async_context(subscribed(hub, owner, AlertFilter(device_ids=(f"other-{number}",))))
        one = await stack.enter_async_context(subscribed(hub, owner, AlertFilter(device_ids=("till-1",))))
        all_of_it = await stack.enter_async_context(subscribed(hub, root))
        await log.open("acme", "till-1")
        await one.count(1)
        await all_of_it.count(1)
    assert hub.follower.interests.looks == 2


@pytest.mark.parametrize("seed", range(3))
async def test_every_stream_is_told_just_what_its_filter_shows_in_order(hub: Hub, log: Log, seed: int) -> None:
    chance = random.Random(seed)
    people = (owner, both, root)
    async with AsyncExitStack() as stack:
        streams = [
            (who, chosen, await stack.enter_async_context(subscribed(hub, who, chosen)))
            for who, chosen in itertools.product(people, NARROW)
        ]
        live: list[Alert] = []
        subjects = [(tenant, f"till-{number}") for tenant in ("acme", "umbrella") for number in range(1, 20)]
        chance.shuffle(subjects)
        for _ in range(60):
            if not live or chance.random() < 0.4:
                live.append(await log.open(*subjects.pop(), chance.choice(list(Severity))))
            elif chance.random() < 0.5:
                alert = live.pop(chance.randrange(len(live)))
                worse = msgspec.structs.replace(alert, severity=chance.choice(list(Severity)))
                await log.move(AlertEventType.SEVERITY_CHANGED, alert, worse)
            else:
                await log.comment(chance.choice(live), chance.randint(1, 5))
        record = await log.everything("acme", "umbrella")
        for who, chosen, heard in streams:
            due = [event for event in record if who.scope.covers(event.tenant_id) and event_matches(chosen, event)]
            told = places(await heard.count(len(due)))
            # Lanes are told side by side, each in its order.
            assert sorted(told, key=lambda place: place[0]) == [(event.lane, event.seq) for event in due]


async def test_a_stream_that_rests_resumes_behind_what_passed_it_by(hub: Hub, log: Log) -> None:
    async with subscribed(hub, owner, AlertFilter(device_ids=("till-2",))) as heard:
        passing = await log.open("acme", "till-1")
        await log.comment(passing, 20)
        await log.open("acme", "till-2")
        [item] = await heard.count(1)
        async with subscribed(hub, owner, after=item.cursor) as resumed:
            await log.comment(passing)
            assert kinds(await resumed.count(1)) == ["COMMENTED"]


async def test_nothing_is_left_of_streams_that_ended(hub: Hub) -> None:
    for chosen in NARROW:
        async with subscribed(hub, root, chosen):
            await asyncio.sleep(0)
    interests = hub.follower.interests
    assert (interests._filed, interests._by_lane, interests.resting_in(0)) == ({}, {}, 0)


class Someone:
    def __init__(self, alive: bool = True) -> None:
        self.alive = alive


def test_thresholds_give_who_is_reached_once_and_forget_the_dead() -> None:
    thresholds: Thresholds[Someone] = Thresholds()
    early, late, dead = Someone(), Someone(), Someone(alive=False)
    for at, whoever in ((5, late), (1, early), (2, early), (1, dead)):
        thresholds.put(at, whoever)
    assert thresholds.reached(3) == [early]
    assert thresholds.reached(3) == []
    assert thresholds.reached(5) == [late]


def test_the_dead_take_no_more_room_than_the_living() -> None:
    thresholds: Thresholds[Someone] = Thresholds()
    for number in range(10_000):
        thresholds.put(number, Someone(alive=number % 100 == 0))
    assert len(thresholds) < 300
