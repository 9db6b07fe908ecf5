"""An event that is sent again under its reference is accepted and counts once, whoever else sends it meanwhile."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from datetime import datetime, timedelta
from typing import Any

import pytest

from app.clock import ManualClock
from app.context import Context, open_context
from app.domain.event_input import EventInput
from app.domain.operational_event import EventKind, EventOutcome
from app.errors import UnavailableError
from app.realtime.event_intake import EventIntake
from app.store.mongo import classify
from tests.cast import NOW, both, mate, outsider
from tests.counting import counted
from tests.elsewhere import Client, aborted, elsewhere, failing
from tests.operational_events.conftest import Kept
from tests.operational_events.sending import ago, sale, send, total


@pytest.mark.parametrize(
    "again",
    [
        {},
        {"count": 5},
        {"amount": 3.0},
        {"at": ago(3_600)},
        {"outcome": EventOutcome.FAILURE},
        {"device_id": "x"},
        {"store_id": "x"},
    ],
    ids=str,
)
async def test_the_same_reference_counts_once_as_it_first_came(context: Context, kept: Kept, again: dict[str, Any]) -> None:
    assert (await send(context, sale(reference="r-1"))).accepted == 1
    before = kept()
    ack = await send(context, sale(reference="r-1", **again))
    assert (ack.accepted, ack.rejected) == (1, [])
    assert kept() == before


async def test_in_one_call_the_first_counts(context: Context, kept: Kept) -> None:
    ack = await send(context, sale(reference="r-1", count=2), sale(reference="r-1", count=3), sale(reference="r-2"))
    assert ack.accepted == 3
    assert len(kept()["operational_events"]) == 2
    assert (await total(context)).success == 3


async def test_in_calls_at_once_it_counts_once(context: Context, kept: Kept) -> None:
    acks = await asyncio.gather(*(send(context, sale(reference="r-1")) for _ in range(10)))
    assert [ack.accepted for ack in acks] == [1] * 10
    assert len(kept()["operational_events"]) == (await total(context)).success == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({}, {}),
        ({"reference": "a"}, {"reference": "b"}),
        ({"reference": "a"}, {"reference": "A"}),
        ({"reference": "a"}, {}),
        ({"reference": "a"}, {"reference": "a", "kind": EventKind.REFUND}),
        ({"reference": "a"}, {"reference": "a", "tenant_id": "umbrella"}),
    ],
    ids=str,
)
async def test_what_is_not_the_same_counts_twice(
    context: Context, kept: Kept, one: dict[str, Any], other: dict[str, Any]
) -> None:
    for fields in (one, other):
        await send(context, sale(**{"tenant_id": "acme", **fields}), by=both)
    assert len(kept()["operational_events"]) == 2


async def test_a_reference_is_known_for_as_long_as_its_event_may_come_again(
    context: Context, kept: Kept, clock: ManualClock
) -> None:
    ahead = NOW + timedelta(minutes=5)
    await send(context, sale(reference="r-1", at=ahead))
    [event] = kept()["operational_events"]
    clock.advance((event["expire_at"] - NOW).total_seconds())
    assert [one.code.name for one in (await send(context, sale(reference="r-1", at=ahead))).rejected] == ["BAD_USER_INPUT"]


class Interrupted(ManualClock):
    """At the first look at it something else happens first: an intake looks once it knows what is kept already."""

    def __init__(self, meanwhile: Callable[[], Coroutine[Any, Any, None]]) -> None:
        super().__init__(NOW)
        self._meanwhile: Callable[[], Coroutine[Any, Any, None]] | None = meanwhile

    def now(self) -> datetime:
        if self._meanwhile is not None:
            other = threading.Thread(target=asyncio.run, args=(self._meanwhile(),))
            self._meanwhile = None
            other.start()
            other.join()
        return super().now()


async def race(context: Context, ours: EventInput, theirs: EventInput) -> None:
    """Theirs is written, by another process, after ours has looked what is there and before it writes."""

    async def meanwhile() -> None:
        async with open_context(context.settings, ManualClock(NOW)) as another:
            await send(another, theirs)

    racing = EventIntake(context.mongo, context.store, Interrupted(meanwhile))
    await send(_with(context, racing), ours)


def _with(context: Context, intake: EventIntake) -> Context:
    fields = {name: getattr(context, name) for name in context.__slots__}
    return Context(**{**fields, "event_intake": intake})


@pytest.mark.parametrize("there", [True, False], ids=["into a bucket that is there", "into a new bucket"])
async def test_of_two_transactions_with_one_reference_one_counts(
    context: Context, kept: Kept, mongo_client: Client, there: bool
) -> None:
    if there:
        await send(context, sale(reference="before"))
    before = aborted(mongo_client)
    await race(context, sale(reference="r-1"), sale(reference="r-1"))
    assert aborted(mongo_client) > before
    assert len(kept()["operational_events"]) == (await total(context)).success == 1 + there


@pytest.mark.parametrize("there", [True, False], ids=["into a bucket that is there", "into a new bucket"])
async def test_of_two_transactions_with_different_events_both_count(context: Context, kept: Kept, there: bool) -> None:
    if there:
        await send(context, sale())
    await race(context, sale(), sale(count=5))
    assert len(kept()["operational_events"]) == 2 + there
    assert (await total(context)).success == 6 + there


async def test_one_reference_in_different_five_minutes_counts_once(context: Context, kept: Kept) -> None:
    await race(context, sale(reference="r-1"), sale(reference="r-1", at=ago(3_600)))
    assert [event["at"] for event in kept()["operational_events"]] == [ago(3_600)]
    assert (await total(context)).success == 1


async def _send_many(context: Context, name: str) -> None:
    own = [sale(reference=f"{name}-{number}", device_id=f"till-{number % 3}") for number in range(20)]
    shared = [sale(reference=f"shared-{number}", device_id=f"till-{number % 3}") for number in range(20)]
    await asyncio.gather(*(send(context, one, other) for one, other in zip(own, shared, strict=True)))


async def test_three_processes_at_once_lose_and_double_nothing(context: Context, kept: Kept) -> None:
    await asyncio.gather(
        _send_many(context, "here"),
        elsewhere(context, lambda another: _send_many(another, "one")),
        elsewhere(context, lambda another: _send_many(another, "two")),
    )
    assert len(kept()["operational_events"]) == (await total(context)).success == 80


async def test_calls_that_arrive_together_are_one_transaction(context: Context, database: str) -> None:
    await send(context, sale())  # the process knows the tenant
    with counted(database) as commands:
        await asyncio.gather(*(send(context, sale(reference=str(number))) for number in range(50)))
    assert commands == ["find", "update", "insert"]
    assert (await total(context)).success == 51


@pytest.mark.parametrize("command", ["find", "update", "insert", "commitTransaction"])
@pytest.mark.parametrize("times", [1, 2])
async def test_a_lost_connection_is_tried_again_and_counts_once(
    context: Context, kept: Kept, mongo_client: Client, command: str, times: int
) -> None:
    await send(context, sale())
    with failing(mongo_client, command, times, closeConnection=True):
        await send(context, sale(), sale(reference="r-1"))
    assert len(kept()["operational_events"]) == (await total(context)).success == 3


@pytest.mark.parametrize("command", ["update", "insert"])
async def test_a_key_that_was_taken_meanwhile_is_looked_at_again(
    context: Context, kept: Kept, mongo_client: Client, command: str
) -> None:
    # MongoDB 6 calls this a conflict of the transaction; one that calls it a duplicate key does not try again by itself.
    taken: dict[str, Any] = {
        "errorCode": 11000,
        "errorExtraInfo": {"keyPattern": {"_id": 1}, "keyValue": {"_id": "acme:sale:r-1"}},
    }
    with failing(mongo_client, command, 2, **taken):
        await send(context, sale(reference="r-1"))
    assert len(kept()["operational_events"]) == (await total(context)).success == 1
    with failing(mongo_client, command, 1_000, **taken), pytest.raises(UnavailableError):
        await send(context, sale(reference="r-2"))
    assert len(kept()["operational_events"]) == (await total(context)).success == 1


@pytest.mark.parametrize("command", ["update", "insert"])
async def test_what_fails_is_neither_kept_nor_counted_and_can_be_sent_again(
    context: Context, kept: Kept, mongo_client: Client, command: str
) -> None:
    before = kept()
    with failing(mongo_client, command, 1_000, errorCode=2):
        outcomes = await asyncio.gather(
            *(send(context, sale(reference="r-1"), by=mate) for _ in range(3)), return_exceptions=True
        )
    assert all(isinstance(one, Exception) and classify(one) is None for one in outcomes)
    assert kept() == before
    await send(context, sale(reference="r-1"))
    assert (await total(context)).success == 1


async def test_a_call_that_does_not_fit_is_refused_whole(context: Context, kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.realtime.event_intake.CAPACITY", 2)
    full = _with(context, EventIntake(context.mongo, context.store, context.clock))
    with pytest.raises(Exception, match="more is waiting"):
        await send(full, sale(), sale(), sale())
    assert kept()["operational_events"] == []
    assert (await send(full, sale(), sale())).accepted == 2


async def test_a_caller_that_goes_away_does_not_take_the_others_with_it(context: Context) -> None:
    gone = asyncio.create_task(send(context, sale()))
    stays = asyncio.create_task(send(context, sale(), by=outsider))
    await asyncio.sleep(0)
    gone.cancel()
    assert (await stays).accepted == 1
    await context.event_intake.drain()
    assert (await total(context, subject_id="umbrella", tenant_id="umbrella")).success == 1
