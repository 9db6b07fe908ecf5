"""Whatever is sent, in whatever portions: the counts are those of the events that are kept, and those are the ones that were sent."""

import asyncio
from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from hypothesis import given, settings, strategies as st
from pymongo import MongoClient

from app.clock import ManualClock
from app.context import Context
from app.domain.event_input import EventInput
from app.domain.operational_event import EventKind, EventOutcome
from tests.cast import NOW, both
from tests.operational_events.sending import send

# Moments round the bounds of five minutes, and any others of a month.
MOMENTS = st.one_of(
    st.none(),
    st.integers(0, 12).map(lambda number: NOW - timedelta(minutes=5) * number),
    st.integers(1, 12).map(lambda number: NOW - timedelta(minutes=5) * number - timedelta(milliseconds=1)),
    st.integers(0, 29 * 86_400_000).map(lambda number: NOW - timedelta(milliseconds=number)),
)
EVENTS = st.builds(
    EventInput,
    kind=st.sampled_from([EventKind.SALE, EventKind.REDEMPTION]),
    outcome=st.sampled_from(EventOutcome),
    at=MOMENTS,
    tenant_id=st.sampled_from(["acme", "umbrella"]),
    device_id=st.sampled_from([None, "till-1", "a:b"]),
    store_id=st.sampled_from([None, "north", "till-1"]),
    amount=st.one_of(st.none(), st.integers(-100, 100).map(float)),
    count=st.integers(1, 9),
    reference=st.sampled_from([None, None, "r-1", "r-2", "b:r-1"]),
)
# Calls one after the other, each time several at once.
CALLS = st.lists(st.lists(st.lists(EVENTS, max_size=5), min_size=1, max_size=3), min_size=1, max_size=3)
Document = dict[str, Any]
Place = tuple[str, str, str, str, datetime]


def recounted(events: Iterable[Document]) -> dict[Place, tuple[int, int, float]]:
    """From the events as they are kept, in other words than the code's."""
    sums: dict[Place, Counter[str]] = {}
    for event in events:
        seconds = int(event["at"].timestamp())
        start = datetime.fromtimestamp(seconds - seconds % 300, NOW.tzinfo)
        store, device = event.get("store_id"), event.get("device_id")
        places = [("tenant", event["tenant_id"]), ("tenant", "") if store is None else ("store", store)]
        places += [] if device is None else [("device", device)]
        for place, subject in places:
            into = sums.setdefault((event["tenant_id"], place, subject, event["kind"], start), Counter())
            into.update({event["outcome"]: event["count"], "amount": event["amount"] or 0})
    return {key: (into["success"], into["failure"], into["amount"]) for key, into in sums.items()}


def as_kept(counts: Iterable[Document]) -> dict[Place, tuple[int, int, float]]:
    return {
        (one["tenant_id"], one["place"], one["subject_id"], one["kind"], one["start"]): (
            one["success"],
            one["failure"],
            one["amount"],
        )
        for one in counts
    }


def known_by(event: EventInput) -> object:
    return id(event) if event.reference is None else (event.tenant_id, event.kind, event.reference)


@settings(max_examples=60)
@given(calls=CALLS)
async def test_counts_are_a_recount_of_the_events(
    context: Context, clock: ManualClock, mongo_client: "MongoClient[Document]", calls: list[list[list[EventInput]]]
) -> None:
    database = mongo_client[context.settings.mongo_database]
    for name in ("operational_events", "event_counts"):
        database[name].delete_many({})
    sent: list[EventInput] = []
    for at_once in calls:
        acks = await asyncio.gather(*(send(context, *events, by=both) for events in at_once))
        assert [ack.accepted for ack in acks] == [len(events) for events in at_once]
        sent += [event for events in at_once for event in events]
    kept = list(database["operational_events"].find())
    assert len(kept) == len({known_by(event) for event in sent})
    assert as_kept(database["event_counts"].find()) == recounted(kept)
