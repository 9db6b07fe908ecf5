"""What is right with events is kept; what is wrong with them is said, all of it, and hurts no other."""

from datetime import timedelta
from typing import Any

import pytest

from app.context import Context
from app.devices import register_device, retire_device
from app.domain.device_input import DevicePatch
from app.domain.operational_event import EventKind, EventOutcome
from app.domain.subject import SubjectKind
from schema.scalars import print_datetime
from tests.cast import NOW, both, mate, owner
from tests.operational_events.conftest import Kept
from tests.operational_events.sending import RECORD, sale, send, total
from tests.wire import answer, ask, refusal

Fields = dict[str, Any]


def at(**after: float) -> Fields:
    return {"at": print_datetime(NOW + timedelta(**after))}


GOOD: list[Fields] = [
    {},
    *({"kind": kind.name} for kind in EventKind),
    *({"outcome": outcome.name} for outcome in EventOutcome),
    *({name: None} for name in ("outcome", "at", "deviceId", "storeId", "tenantId", "amount", "count", "reference")),
    *({"count": count} for count in (1, 1_000_000)),
    *({"amount": amount} for amount in (0, 12.5, -3, 1e15, -1e15)),
    at(minutes=5),
    at(days=-30, milliseconds=1),
    *({"deviceId": text} for text in ("x", "x" * 128, "aa:bb:cc")),
    *({"storeId": text} for text in ("x", "x" * 64, "Nord 1 é")),
    *({"reference": text} for text in ("x", "x" * 200, "Beleg 7/1 é", "$ref", "a:b")),
]
BAD: list[tuple[Fields, str]] = [
    *(({"count": count}, "count") for count in (0, -1, 1_000_001)),
    *(({"amount": amount}, "amount") for amount in (1.1e15, -1.1e15)),
    (at(minutes=5, milliseconds=1), "at"),
    (at(days=-30), "at"),
    *(({"deviceId": text}, "deviceId") for text in ("", " x", "x" * 129, "a\nb")),
    *(({"storeId": text}, "storeId") for text in ("", "x ", "x" * 65, "a\0b")),
    *(({"reference": text}, "reference") for text in ("", " x", "x" * 201, "a\tb")),
]


@pytest.mark.parametrize("fields", GOOD, ids=lambda fields: str(fields)[:60])
async def test_what_is_within_bounds_is_kept_and_counted(context: Context, kept: Kept, fields: Fields) -> None:
    answered = await ask(context, mate, RECORD, events=[{"kind": "SALE", **fields}])
    assert answered["recordEvents"] == {"accepted": 1, "rejected": []}
    [event] = kept()["operational_events"]
    assert event["tenant_id"] == "acme"
    tenant = next(one for one in kept()["event_counts"] if one["subject_id"] == "acme")
    assert tenant["success"] + tenant["failure"] == (fields.get("count") or 1)


@pytest.mark.parametrize(("fields", "name"), BAD, ids=lambda fields: str(fields)[:60])
async def test_what_is_out_of_bounds_is_named_and_not_written(context: Context, kept: Kept, fields: Fields, name: str) -> None:
    before = kept()
    [one] = (await ask(context, mate, RECORD, events=[{"kind": "SALE", **fields}]))["recordEvents"]["rejected"]
    assert (one["index"], one["deviceId"], one["code"]) == (0, fields.get("deviceId"), "BAD_USER_INPUT")
    assert one["message"].startswith(f"events[0].{name}: ")
    assert kept() == before


@pytest.mark.parametrize("value", [float("inf"), float("-inf"), float("nan")])
async def test_an_amount_that_is_no_number_is_refused(context: Context, kept: Kept, value: float) -> None:
    before = kept()
    [one] = (await send(context, sale(amount=value))).rejected
    assert "events[0].amount: " in one.message
    assert kept() == before


async def test_an_event_is_kept_as_it_was_sent(context: Context, kept: Kept) -> None:
    given = {"kind": "REFUND", "outcome": "FAILURE", "amount": -4.5, "count": 3, "reference": "r-1", **at(hours=-2)}
    await ask(context, mate, RECORD, events=[{**given, "deviceId": "till-1", "storeId": "north"}])
    [event] = kept()["operational_events"]
    assert event == {
        "_id": "acme:refund:r-1",
        "tenant_id": "acme",
        "lane": event["lane"],
        "kind": "refund",
        "outcome": "failure",
        "at": NOW - timedelta(hours=2),
        "received_at": NOW,
        "expire_at": NOW + timedelta(days=30),
        "amount": -4.5,
        "count": 3,
        "device_id": "till-1",
        "store_id": "north",
        "reference": "r-1",
    }


async def test_one_bad_event_does_not_hurt_the_others_and_every_bad_field_is_named(context: Context, kept: Kept) -> None:
    events: list[Fields] = [
        {"kind": "SALE"},
        {"kind": "SALE", "deviceId": "till-2", "count": 0, "reference": "", **at(hours=1)},
        {"kind": "SALE", "tenantId": "umbrella"},
        {"kind": "REFUND", "deviceId": ""},
        {"kind": "REFUND"},
    ]
    ack = (await ask(context, mate, RECORD, events=events))["recordEvents"]
    assert ack["accepted"] == 2
    assert [(one["index"], one["deviceId"], one["code"]) for one in ack["rejected"]] == [
        (1, "till-2", "BAD_USER_INPUT"),
        (2, None, "FORBIDDEN"),
        (3, "", "BAD_USER_INPUT"),
    ]
    assert all(f"events[1].{name}: " in ack["rejected"][0]["message"] for name in ("count", "reference", "at"))
    assert sorted(event["kind"] for event in kept()["operational_events"]) == ["refund", "sale"]


async def test_more_than_a_thousand_events_are_refused_together(context: Context, kept: Kept) -> None:
    before = kept()
    events = [{"kind": "SALE", "reference": str(number)} for number in range(1_001)]
    assert await refusal(context, mate, RECORD, events=events) == ("BAD_USER_INPUT", ["events"])
    assert kept() == before
    assert (await ask(context, mate, RECORD, events=events[:1_000]))["recordEvents"] == {"accepted": 1_000, "rejected": []}
    assert len(kept()["operational_events"]) == (await total(context)).success == 1_000


async def test_no_events_are_no_mistake(context: Context, kept: Kept) -> None:
    assert (await ask(context, mate, RECORD, events=[]))["recordEvents"] == {"accepted": 0, "rejected": []}
    assert kept()["operational_events"] == kept()["event_counts"] == []


@pytest.mark.parametrize("fields", [{"kind": "GIFT"}, {"kind": None}, {"at": "2026-11-21T06:00:00"}, {"count": 1.5}])
async def test_what_the_schema_does_not_take_is_bad_input(context: Context, kept: Kept, fields: Fields) -> None:
    before = kept()
    [error] = (await answer(context, mate, RECORD, events=[{"kind": "SALE", **fields}]))["errors"]
    assert error["extensions"]["code"] == "BAD_USER_INPUT"
    assert kept() == before


async def test_an_unknown_device_is_counted_and_not_registered(context: Context, kept: Kept) -> None:
    await send(context, sale(device_id="till-9"), by=owner)
    assert (await total(context, SubjectKind.DEVICE, "till-9")).success == 1
    assert kept()["devices"] == []


async def test_the_store_of_a_registered_device_counts_where_the_event_names_none(context: Context, kept: Kept) -> None:
    await register_device(context, owner, DevicePatch(device_id="till-1", store_id="north"))
    await send(context, sale(device_id="till-1"), sale(device_id="till-1", store_id="south"), sale(device_id="till-2"))
    assert sorted(str(event["store_id"]) for event in kept()["operational_events"]) == ["None", "north", "south"]
    for subject_id in ("north", "south"):
        assert (await total(context, SubjectKind.STORE, subject_id)).success == 1


async def test_a_retired_device_stands_nowhere(context: Context, kept: Kept) -> None:
    await register_device(context, owner, DevicePatch(device_id="till-1", store_id="north"))
    await retire_device(context, owner, None, "till-1")
    await send(context, sale(device_id="till-1"))
    assert [event["store_id"] for event in kept()["operational_events"]] == [None]


async def test_a_device_of_another_tenant_lends_no_store(context: Context, kept: Kept) -> None:
    await register_device(context, owner, DevicePatch(device_id="till-1", store_id="north"))
    await send(context, sale(device_id="till-1", tenant_id="umbrella"), by=both)
    assert [event["store_id"] for event in kept()["operational_events"]] == [None]
