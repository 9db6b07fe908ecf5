"""A transition and its record are written together or not at all, each once, in an order without holes."""

import asyncio
from functools import partial
from typing import Any

import pytest
from pymongo.errors import OperationFailure

from app.context import Context
from app.domain.alert import Alert, AlertEventType, Change
from app.domain.device import Device, DeviceStatus
from app.domain.ids import device_key, lane_of
from app.domain.tenant import EVERY_TENANT
from app.store.connectivity import Settlement
from app.store.mongo import Session, is_duplicate
from app.transitions import Decide, Writes, transact
from tests.alerts.world import an_alert, keep, kept, opened, told
from tests.cast import NOW
from tests.elsewhere import Client, elsewhere, failing, somebody_in

LANE = lane_of("acme")


def opening(*alerts: Alert) -> Writes:
    return Writes([Change(type=AlertEventType.OPENED, at=NOW, before=None, after=alert) for alert in alerts])


def always(writes: Writes) -> Decide:
    async def decide(_: Session) -> Writes:
        return writes

    return decide


async def seqs(context: Context) -> list[int]:
    return [event.seq for event in await context.store.events.after({LANE: 0}, 10_000)]


async def nothing_is_there(context: Context) -> bool:
    alerts = await context.mongo.tenant_collection("provider_alerts").count(EVERY_TENANT, {})
    return alerts == 0 and await seqs(context) == [] and (await context.store.events.positions())[LANE] == 0


async def _open_many(context: Context, name: str) -> None:
    alerts = [[an_alert(id=f"{name}-{n}-{m}", subject_id=f"{name}-{n}-{m}") for m in range(n % 3)] for n in range(15)]
    await asyncio.gather(*(transact(context, LANE, always(opening(*some))) for some in alerts))


async def test_many_writers_of_several_processes_leave_no_hole_at_any_time(context: Context) -> None:
    done = asyncio.Event()

    async def look() -> None:
        while not done.is_set():
            there = await seqs(context)
            assert there == list(range(1, len(there) + 1))

    async with asyncio.TaskGroup() as group:
        group.create_task(look())
        await asyncio.gather(
            _open_many(context, "here"),
            elsewhere(context, partial(_open_many, name="one")),
            elsewhere(context, partial(_open_many, name="two")),
        )
        done.set()
    assert await seqs(context) == list(range(1, 46))
    assert (await context.store.events.positions())[LANE] == 45


async def test_what_a_writer_is_given_back_is_what_is_kept(context: Context) -> None:
    one, two = an_alert(id="one", subject_id="pos-1"), an_alert(id="two", subject_id="pos-2")
    events = await transact(context, LANE, always(opening(one, two)))
    assert events == await context.store.events.after({LANE: 0}, 10)
    assert [(event.id, event.alert) for event in events] == [(f"{LANE}-1", one), (f"{LANE}-2", two)]


async def test_a_decision_that_fails_writes_nothing(context: Context) -> None:
    async def decide(session: Session) -> Writes:
        await context.store.alerts.write(opening(an_alert()).changes, session)
        raise RuntimeError("no")

    with pytest.raises(RuntimeError, match="no"):
        await transact(context, LANE, decide)
    assert await nothing_is_there(context)


async def test_what_fails_on_its_way_to_the_record_writes_nothing(context: Context, mongo_client: Client) -> None:
    # The alert is inserted first, the event second.
    with failing(mongo_client, "update", 1, errorCode=2), pytest.raises(OperationFailure):
        await transact(context, LANE, always(opening(an_alert())))
    assert await nothing_is_there(context)


async def test_nothing_decided_is_nothing_written(context: Context) -> None:
    assert await transact(context, LANE, always(Writes())) == []
    assert await nothing_is_there(context)


async def test_a_second_live_alert_of_a_key_is_refused_by_the_database(context: Context) -> None:
    first = await opened(context)
    with pytest.raises(Exception, match="E11000") as refused:
        await transact(context, LANE, always(opening(an_alert(id="second"))))
    assert is_duplicate(refused.value)
    assert await context.store.alerts.get(EVERY_TENANT, "second") is None
    assert await seqs(context) == [1]
    await keep(context, an_alert(id="theirs", tenant_id="umbrella"))
    assert (await kept(context, first)).live


@pytest.mark.parametrize("command", ["insert", "findAndModify", "update"])
async def test_a_conflict_is_decided_anew(context: Context, mongo_client: Client, command: str) -> None:
    decided = 0

    async def decide(_: Session) -> Writes:
        nonlocal decided
        decided += 1
        return opening(an_alert())

    with failing(mongo_client, command, 1, errorCode=112, errorLabels=["TransientTransactionError"]):
        events = await transact(context, LANE, decide)
    assert decided == (1 if command == "findAndModify" else 2)  # the lane's counter comes before the decision
    assert [event.seq for event in events] == [1]
    assert [event.type.name for event in await told(context, an_alert())] == ["OPENED"]


@pytest.mark.parametrize(
    "how",
    [
        {"closeConnection": True},
        # It was committed, and only nobody knows.
        {"writeConcernError": {"code": 64, "errmsg": "waiting for replication timed out"}},
    ],
    ids=["connection lost", "replication timed out"],
)
@pytest.mark.parametrize("times", [1, 3])
async def test_a_commit_of_unknown_outcome_is_not_doubled(
    context: Context, mongo_client: Client, how: dict[str, Any], times: int
) -> None:
    with failing(mongo_client, "commitTransaction", times, **how):
        events = await transact(context, LANE, always(opening(an_alert())))
    assert [event.seq for event in events] == [1]
    assert await seqs(context) == [1]


async def test_a_writer_waits_for_the_one_of_another_process(context: Context, mongo_client: Client) -> None:
    theirs = an_alert(id="theirs")
    seen: list[bool] = []

    async def decide(session: Session) -> Writes:
        seen.append(bool(await context.store.alerts.get_many(EVERY_TENANT, ["theirs"], session=session)))
        return Writes()

    async with somebody_in(context, mongo_client, LANE, opening(theirs).changes):
        await transact(context, LANE, decide)
    assert seen == [True]


async def test_what_was_read_cannot_change_before_it_is_judged(context: Context) -> None:
    key = device_key("acme", "pos-1")
    device = Device(
        id=key,
        tenant_id="acme",
        device_id="pos-1",
        lane=LANE,
        status=DeviceStatus.ONLINE,
        since=NOW,
        created_at=NOW,
        offline_after=5,
        wake_after=5,
    )
    await context.store.devices.insert(device)
    read: list[Any] = []

    async def decide(session: Session) -> Writes:
        found = (await context.store.connectivity.get_many([key], session))[key]
        read.append(found.last_seen)
        if len(read) == 1:
            await context.store.connectivity.saw([key], NOW)  # a beat comes in between
        verdict = Settlement(
            device_key=key,
            status=DeviceStatus.OFFLINE if found.last_seen is None else DeviceStatus.ONLINE,
            since=NOW,
            due_at=None,
            last_seen=found.last_seen,
            missed=found.last_seen is None,
            changed=True,
        )
        return Writes(settlements=[verdict])

    await transact(context, LANE, decide)
    assert read == [None, NOW]
    assert (await context.store.connectivity.get_many([key]))[key].status is DeviceStatus.ONLINE


async def test_a_document_that_many_make_at_once_is_made_once(context: Context) -> None:
    leases = context.store.leases
    for lane in range(20):
        await asyncio.gather(*(leases.advance("rules", lane, NOW) for _ in range(10)))
    assert len(await leases.watermarks("rules")) == 20
