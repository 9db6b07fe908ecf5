"""Who reads what changed since last time hears of every change, also where a commit took its time."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec

from app.clock import ManualClock
from app.context import Context
from app.domain.ids import lane_of
from app.domain.operational_event import EventKind
from app.domain.subject import SubjectKind
from app.realtime.event_intake import EventIntake
from app.store.event_counts import ChangedCount
from tests.cast import NOW, outsider
from tests.operational_events.sending import ago, sale, send

LANE = lane_of("acme")


async def changed(context: Context, after: datetime, until: datetime, limit: int = 100) -> list[ChangedCount]:
    return await context.store.event_counts.changed_in_lane(LANE, after, until, limit)


def subjects(found: Sequence[ChangedCount]) -> list[str]:
    return [one.subject_id for one in found if one.place is SubjectKind.DEVICE]


async def test_a_place_is_told_once_with_its_newest_change_the_oldest_first(context: Context, clock: ManualClock) -> None:
    await send(context, sale(device_id="till-1"), sale(device_id="till-1", at=ago(3_600)), sale(device_id="till-2"))
    later = clock.advance(10)
    await send(context, sale(device_id="till-1", at=ago(7_200)), sale(kind=EventKind.REFUND, device_id="till-2"))
    await send(context, sale(device_id="till-3"), by=outsider)
    found = [one for one in await changed(context, ago(1), later) if one.place is SubjectKind.DEVICE]
    assert [(one.tenant_id, one.subject_id, one.event, one.changed_at) for one in found] == [
        ("acme", "till-2", EventKind.SALE, NOW),
        ("acme", "till-1", EventKind.SALE, later),
        ("acme", "till-2", EventKind.REFUND, later),
    ]


async def test_all_four_places_are_told(context: Context) -> None:
    await send(context, sale(device_id="till-1", store_id="north"), sale())
    assert {(one.place, one.subject_id) for one in await changed(context, ago(1), NOW)} == {
        (SubjectKind.TENANT, "acme"),
        (SubjectKind.TENANT, ""),
        (SubjectKind.STORE, "north"),
        (SubjectKind.DEVICE, "till-1"),
    }


async def test_the_bounds_are_behind_the_first_and_up_to_the_last(context: Context, clock: ManualClock) -> None:
    for number in range(4):
        await send(context, sale(device_id=f"till-{number}"))
        clock.advance(1)
    assert subjects(await changed(context, NOW, NOW + timedelta(seconds=2))) == ["till-1", "till-2"]


async def test_an_event_that_is_there_already_changes_nothing(context: Context, clock: ManualClock) -> None:
    await send(context, sale(reference="r-1"))
    later = clock.advance(60)
    await send(context, sale(reference="r-1"))
    assert await changed(context, NOW, later) == []


async def test_pages_that_end_amid_one_moment_lose_nothing(context: Context, clock: ManualClock) -> None:
    for wave in range(4):
        await send(context, *(sale(device_id=f"till-{wave}-{number}") for number in range(5)))
        clock.advance(1)
    for limit in (1, 2, 3, 5, 7, 11, 100):
        after, told = ago(1), list[str]()
        while page := await changed(context, after, clock.now(), limit):
            told += subjects(page)
            after = page[-1].changed_at
        assert sorted(told) == sorted(f"till-{wave}-{number}" for wave in range(4) for number in range(5))


class Striding(ManualClock):
    """Every look at it takes three seconds."""

    def now(self) -> datetime:
        return self.advance(3)


async def test_a_commit_that_took_long_is_told_at_its_end(context: Context) -> None:
    await send(context, sale(reference="first"))
    [first] = [one async for one in context.store.operational_events.past("acme", EventKind.SALE, ago(1), NOW)]
    second = msgspec.structs.replace(first, id="acme:sale:second")
    await EventIntake(context.mongo, context.store, Striding(NOW)).take([second])
    [told, _] = await changed(context, NOW, NOW + timedelta(minutes=1))
    assert told.changed_at == NOW + timedelta(seconds=6)
