"""Events count in the five minutes of their own time, at every place that they belong to."""

from datetime import timedelta

import pytest

from app.clock import ManualClock
from app.context import Context
from app.domain.counts import Tally
from app.domain.operational_event import STORELESS, EventKind, EventOutcome
from app.domain.subject import SubjectKind
from tests.cast import NOW, outsider
from tests.operational_events.conftest import Kept
from tests.operational_events.sending import ago, buckets, sale, send, total

TENANT, STORE, DEVICE = SubjectKind.TENANT, SubjectKind.STORE, SubjectKind.DEVICE


@pytest.mark.parametrize(
    ("fields", "places"),
    [
        ({}, {(TENANT, "acme"), (TENANT, STORELESS)}),
        ({"device_id": "till-1"}, {(TENANT, "acme"), (TENANT, STORELESS), (DEVICE, "till-1")}),
        ({"store_id": "north"}, {(TENANT, "acme"), (STORE, "north")}),
        ({"store_id": "north", "device_id": "till-1"}, {(TENANT, "acme"), (STORE, "north"), (DEVICE, "till-1")}),
        # The same id at two places is two places.
        ({"store_id": "acme", "device_id": "acme"}, {(TENANT, "acme"), (STORE, "acme"), (DEVICE, "acme")}),
    ],
)
async def test_an_event_counts_at_its_places_and_nowhere_else(
    context: Context, kept: Kept, fields: dict[str, str], places: set[tuple[SubjectKind, str]]
) -> None:
    await send(context, sale(**fields))
    counts = kept()["event_counts"]
    assert {(SubjectKind(one["place"]), one["subject_id"]) for one in counts} == places
    assert {(one["tenant_id"], one["kind"], one["success"], one["failure"]) for one in counts} == {("acme", "sale", 1, 0)}


async def test_successes_failures_and_amounts_add_up_by_kind(context: Context, kept: Kept) -> None:
    await send(context, sale(amount=10, count=4), sale(amount=2.5), sale(outcome=EventOutcome.FAILURE, count=2))
    await send(context, sale(amount=-1), sale(kind=EventKind.REFUND, count=7))
    assert await total(context) == Tally(success=6, failure=2)
    assert await total(context, event=EventKind.REFUND) == Tally(success=7)
    [bucket] = [one for one in kept()["event_counts"] if (one["subject_id"], one["kind"]) == ("acme", "sale")]
    assert bucket["amount"] == 11.5


async def test_two_tenants_count_apart(context: Context) -> None:
    await send(context, sale(store_id="north", device_id="till-1"))
    await send(context, sale(store_id="north", device_id="till-1", count=5), by=outsider)
    for place, subject_id in ((STORE, "north"), (DEVICE, "till-1")):
        assert (await total(context, place, subject_id)).success == 1
        assert (await total(context, place, subject_id, tenant_id="umbrella")).success == 5


async def test_a_late_event_counts_in_its_own_five_minutes(context: Context, clock: ManualClock) -> None:
    await send(context, sale())
    clock.advance(7_200)
    await send(context, sale(at=NOW), sale(at=ago(0.001)), sale(at=ago(300)), sale(at=ago(86_400 * 29)))
    assert await buckets(context) == {
        NOW: Tally(2),
        NOW - timedelta(minutes=5): Tally(2),
        NOW - timedelta(days=29): Tally(1),
    }


async def test_an_event_of_a_clock_that_is_ahead_counts_ahead(context: Context) -> None:
    await send(context, sale(at=NOW + timedelta(minutes=5)))
    assert list(await buckets(context)) == [NOW + timedelta(minutes=5)]


async def test_a_window_has_every_bucket_that_overlaps_it(context: Context) -> None:
    await send(context, *(sale(at=ago(60 * minutes), device_id="till-1") for minutes in range(0, 30, 5)))

    async def starts(start: float, end: float) -> list[int]:
        asked = ("acme", DEVICE, ["till-1", "till-2"], EventKind.SALE, ago(start), ago(end))
        found = await context.store.event_counts.window(*asked)
        assert set(found) <= {"till-1"}
        return sorted(int((NOW - at).total_seconds()) // 60 for at in found.get("till-1", {}))

    assert await starts(15 * 60, 0) == [0, 5, 10, 15]
    assert await starts(15 * 60 + 0.001, 0.001) == [5, 10, 15, 20]
    assert await starts(15 * 60 - 0.001, 5 * 60) == [5, 10, 15]
    assert await starts(10_000, 9_000) == []


async def test_counts_are_kept_for_four_hundred_days(context: Context, kept: Kept) -> None:
    await send(context, sale(at=ago(100)))
    assert {one["expire_at"] for one in kept()["event_counts"]} == {NOW - timedelta(minutes=5) + timedelta(days=400)}


async def test_events_are_replayed_in_the_order_in_which_they_came(context: Context, clock: ManualClock) -> None:
    for number in range(4):
        await send(context, sale(reference=str(number), at=ago(60 * number)), sale(kind=EventKind.REFUND))
        clock.advance(1)
    await send(context, sale(), by=outsider)
    between = (NOW, NOW + timedelta(seconds=2))
    found = [one async for one in context.store.operational_events.past("acme", EventKind.SALE, *between)]
    assert [(one.reference, one.at, one.received_at) for one in found] == [
        ("1", ago(60), NOW + timedelta(seconds=1)),
        ("2", ago(120), NOW + timedelta(seconds=2)),
    ]
