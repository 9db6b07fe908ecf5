"""Rules of counts: what shops report, judged by the rule tick."""

from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest

from app.domain.alert import Severity
from app.domain.ids import new_id
from app.domain.operational_event import EventKind, EventOutcome, OperationalEvent, additions
from app.domain.rule import Condition, OutsideHoursCondition, RatioCondition, RuleScope, SpikeCondition
from app.domain.subject import SubjectKind
from app.store.mongo import Session
from tests.domain.making import a_rule
from tests.evaluation.fleet import Fleet

PAYMENTS = RatioCondition(event=EventKind.PAYMENT, threshold=0.05, window_sec=900)
REFUNDS = SpikeCondition(event=EventKind.REFUND, factor=3)
SALES = OutsideHoursCondition(event=EventKind.SALE, opens="09:00", closes="22:00")


async def only_rule(fleet: Fleet, condition: Condition, **fields: Any) -> None:
    await fleet.context.mongo.database["alert_rules"].delete_many({})
    await fleet.context.store.rules.insert(a_rule(condition, **{"key": "counted", "id": "r-9", **fields}))


async def report(
    fleet: Fleet, kind: EventKind, good: int, bad: int = 0, at: datetime | None = None, store: str | None = "north", **places: Any
) -> None:
    """So many events of a kind happened, just now unless said otherwise."""
    now = fleet.clock.now()

    def event(outcome: EventOutcome, count: int) -> OperationalEvent:
        return OperationalEvent(
            id=new_id(now),
            tenant_id=fleet.tenant_id,
            lane=fleet.lane,
            kind=kind,
            outcome=outcome,
            at=at or now,
            received_at=now,
            expire_at=now + timedelta(days=30),
            count=count,
            store_id=store,
            **places,
        )

    counted = [event(outcome, count) for outcome, count in ((EventOutcome.SUCCESS, good), (EventOutcome.FAILURE, bad)) if count]

    async def work(session: Session) -> None:
        await fleet.context.store.event_counts.add(additions(counted), now, session)

    await fleet.context.mongo.transaction(work)


async def look(fleet: Fleet, seconds: float = 0) -> list[str]:
    fleet.clock.advance(seconds)
    before = len(await fleet.record())
    await fleet.judge()
    return [
        f"{event.alert.subject_kind.value} {event.alert.subject_id} {event.type.name}"
        for event in (await fleet.record())[before:]
    ]


async def test_a_ratio_opens_over_its_threshold_and_says_of_how_many(fleet: Fleet) -> None:
    await only_rule(fleet, PAYMENTS, severity=Severity.CRITICAL)
    await report(fleet, EventKind.PAYMENT, 95, 5)
    assert await look(fleet) == []  # met exactly
    await report(fleet, EventKind.PAYMENT, 0, 1)
    assert await look(fleet, 15) == ["store north OPENED"]
    [opened] = await fleet.record()
    assert opened.alert.message == "6 of 101 payments failed (5.94 %) in 15 min, over 5 %"
    assert (opened.alert.store_id, opened.alert.severity) == ("north", Severity.CRITICAL)


async def test_a_default_does_not_wake_anybody_over_what_chance_brings_every_day(fleet: Fleet) -> None:
    await only_rule(fleet, msgspec.structs.replace(PAYMENTS, chance=1e-5))
    await report(fleet, EventKind.PAYMENT, 990, 10, at=fleet.clock.now() - timedelta(days=2))
    await report(fleet, EventKind.PAYMENT, 9, 1)
    assert await look(fleet) == []
    await report(fleet, EventKind.PAYMENT, 0, 6)
    assert await look(fleet, 15) == ["store north OPENED"]
    [opened] = await fleet.record()
    assert opened.alert.message == "7 of 16 payments failed (43.8 %) in 15 min, over 5 %; 1.1 % are usual"


async def test_a_window_that_empties_by_time_alone_ends_an_alert_only_while_it_has_samples(fleet: Fleet) -> None:
    await only_rule(fleet, PAYMENTS)
    await report(fleet, EventKind.PAYMENT, 5, 5)
    assert await look(fleet) == ["store north OPENED"]
    fleet.clock.advance(600)
    await report(fleet, EventKind.PAYMENT, 80)
    assert await look(fleet, 1) == []  # 5 of 90
    assert await look(fleet, 598) == []
    assert await look(fleet, 1) == ["store north RESOLVED"]  # the five minutes of the failures ended 15 minutes ago
    fleet.clock.advance(1)
    await report(fleet, EventKind.PAYMENT, 0, 80)
    assert await look(fleet, 900) == ["store north OPENED"]
    assert await look(fleet, 3_600) == []  # no payment at all: nothing says that it is good


async def test_what_leaves_a_window_can_turn_it_bad_by_time_alone(fleet: Fleet) -> None:
    await only_rule(fleet, PAYMENTS)
    await report(fleet, EventKind.PAYMENT, 100)
    await look(fleet, 900)
    await report(fleet, EventKind.PAYMENT, 11, 1)
    assert await look(fleet, 15) == []
    assert await look(fleet, 284) == []
    assert await look(fleet, 1) == ["store north OPENED"]


async def test_without_a_store_the_tenant_is_the_subject_and_each_event_counts_once(fleet: Fleet) -> None:
    await only_rule(fleet, PAYMENTS)
    await report(fleet, EventKind.PAYMENT, 0, 20, store=None)
    await report(fleet, EventKind.PAYMENT, 0, 20, store="south")
    assert sorted(await look(fleet)) == ["store south OPENED", "tenant acme OPENED"]


@pytest.mark.parametrize(
    ("fields", "subjects"),
    [
        ({"scope": RuleScope(device_ids=("gate-1",))}, ["device gate-1 OPENED"]),
        ({"scope": RuleScope(kinds=("gate",))}, ["device gate-1 OPENED", "device gate-2 OPENED"]),
        ({"scope": RuleScope(store_ids=("north",))}, ["store north OPENED"]),
        ({"scope": RuleScope(store_ids=("south",))}, []),
    ],
)
async def test_the_scope_says_who_is_judged(fleet: Fleet, fields: dict[str, Any], subjects: list[str]) -> None:
    await only_rule(fleet, PAYMENTS, **fields)
    await fleet.add("gate-1", "gate-2", kind="gate", store_id="north")
    await fleet.add("till-1", kind="pos", store_id="north")
    for device in ("gate-1", "gate-2", "till-1"):
        await report(fleet, EventKind.PAYMENT, 0, 10, device_id=device)
    assert sorted(await look(fleet)) == subjects


@pytest.mark.parametrize(
    ("subject", "told"),
    [
        (SubjectKind.TENANT, ["tenant acme OPENED"]),
        (SubjectKind.STORE, ["store north OPENED", "store south OPENED"]),
        (SubjectKind.DEVICE, ["device gate-1 OPENED"]),
    ],
)
async def test_a_rule_may_name_its_subject(fleet: Fleet, subject: SubjectKind, told: list[str]) -> None:
    await only_rule(fleet, RatioCondition(event=EventKind.PAYMENT, threshold=0.05, window_sec=900, subject=subject))
    await report(fleet, EventKind.PAYMENT, 0, 10, device_id="gate-1")
    await report(fleet, EventKind.PAYMENT, 0, 10, store="south")
    assert sorted(await look(fleet)) == told


async def test_late_events_count_in_the_time_in_which_they_happened(fleet: Fleet) -> None:
    await only_rule(fleet, PAYMENTS)
    await report(fleet, EventKind.PAYMENT, 0, 20, at=fleet.clock.now() - timedelta(hours=2))
    assert await look(fleet) == []


async def a_week_of_refunds(fleet: Fleet, an_hour: int) -> None:
    for days in range(1, 8):
        await report(fleet, EventKind.REFUND, an_hour, at=fleet.clock.now() - timedelta(days=days))


async def test_a_spike_is_held_against_the_same_hours_of_the_last_days(fleet: Fleet) -> None:
    await only_rule(fleet, REFUNDS, auto_resolve=False)
    await a_week_of_refunds(fleet, 4)
    await report(fleet, EventKind.REFUND, 12)
    assert await look(fleet) == []
    await report(fleet, EventKind.REFUND, 1)
    assert await look(fleet, 15) == ["store north OPENED"]
    [opened] = await fleet.record()
    assert opened.alert.message == "13 refunds in 60 min, over 12 (3 times the usual 4)"


async def test_without_a_history_there_is_no_spike(fleet: Fleet) -> None:
    await only_rule(fleet, REFUNDS)
    await report(fleet, EventKind.REFUND, 50)
    assert await look(fleet) == []


async def test_the_time_of_an_earlier_spike_is_not_what_is_usual(fleet: Fleet) -> None:
    await only_rule(fleet, REFUNDS, cooldown_sec=0)
    await a_week_of_refunds(fleet, 4)
    await report(fleet, EventKind.REFUND, 50)
    assert await look(fleet, 15) == ["store north OPENED"]
    assert await look(fleet, 7_200) == ["store north RESOLVED"]
    for _ in range(3):  # three more such days would make it usual, if they counted
        fleet.clock.advance(86_400 - 7_215)
        await report(fleet, EventKind.REFUND, 50)
        assert await look(fleet, 15) == ["store north OPENED"]
        assert await look(fleet, 7_200) == ["store north RESOLVED"]


async def test_a_sale_while_the_shop_is_closed_is_told_in_the_tenants_zone(fleet: Fleet) -> None:
    await only_rule(fleet, SALES, severity=Severity.LOW)
    await fleet.context.store.tenants.change(fleet.tenant_id, {"timezone": "Europe/Berlin"})
    await report(fleet, EventKind.SALE, 1)  # 06:00 UTC is 07:00 in Berlin
    assert await look(fleet) == ["store north OPENED"]
    [opened] = await fleet.record()
    assert opened.alert.message == "1 sale after hours (closed since Friday 22:00), at least 1"
    assert await look(fleet, 2 * 3_600) == ["store north REPEATED"]
    assert await look(fleet, 29) == []
    assert await look(fleet, 1) == ["store north RESOLVED"]  # at 09:00:30 in Berlin


async def test_a_sale_in_the_opening_hours_is_none_of_its_business(fleet: Fleet) -> None:
    await only_rule(fleet, SALES)
    fleet.clock.advance(6 * 3_600)
    await report(fleet, EventKind.SALE, 100)
    assert await look(fleet) == []


async def test_the_zone_of_the_store_wins_over_the_tenants(fleet: Fleet) -> None:
    await only_rule(fleet, SALES)
    await fleet.context.store.sites.save(fleet.tenant_id, "north", {"timezone": "Asia/Tokyo", "name": "Ginza"}, fleet.clock.now())
    await report(fleet, EventKind.SALE, 5)  # 15:00 in Tokyo
    await report(fleet, EventKind.SALE, 5, store="south")  # 06:00 in UTC
    assert await look(fleet) == ["store south OPENED"]


async def test_a_rule_of_an_unknown_zone_fails_alone(fleet: Fleet) -> None:
    await only_rule(fleet, OutsideHoursCondition(event=EventKind.SALE, opens="09:00", closes="22:00", timezone="Mars/Base"))
    await fleet.context.store.rules.insert(a_rule(SALES, key="good", id="r-10"))
    await report(fleet, EventKind.SALE, 5)
    assert await look(fleet) == ["store north OPENED"]
    rules = {rule.key: rule for rule in await fleet.context.store.rules.applying(["acme"])}
    assert (rules["counted"].error_count, rules["good"].error_count) == (1, 0)
