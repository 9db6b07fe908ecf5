"""Lists of alerts: whose, in which order, in pages, how many, and from where on to stream."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from random import Random
from typing import Any

import pytest

from app.alert_actions import comment_alert, resolve_alert
from app.alerts import alert_facets, count_alerts, get_alert, list_alerts, stream_cursor, timelines
from app.clock import ManualClock
from app.context import Context
from app.domain.alert import Alert, AlertStatus, Resolution, Severity
from app.domain.alert_filter import AlertFilter
from app.domain.cursor import read_cursor
from app.domain.ids import LANES, lane_of
from app.domain.page import encode_keyset
from app.domain.tenant import Scope
from app.errors import BadInputError, FleetbeatError, ForbiddenError, UnauthenticatedError
from app.principal import ANONYMOUS, Principal
from app.store.alert_lists import AlertOrder, alert_query
from app.store.mongo import tenant_filter
from tests.alerts.world import an_alert, keep, opened
from tests.cast import NOW, both, mate, outsider, root, viewer

ALL = AlertFilter()


def many(count: int) -> list[Alert]:
    """Of few moments and severities, so that pages end within ties."""
    chance = Random(11)
    return [
        an_alert(
            id=f"a{number:02}",
            subject_id=f"pos-{number}",
            tenant_id=chance.choice(["acme", "umbrella"]),
            severity=chance.choice(list(Severity)[:2]),
            first_seen=NOW - timedelta(milliseconds=chance.randrange(4)),
        )
        for number in range(count)
    ]


def by_newest(alert: Alert) -> Any:
    return (-alert.first_seen.timestamp(), [-ord(letter) for letter in alert.id])


ORDERS: dict[AlertOrder, Callable[[Alert], Any]] = {
    AlertOrder.NEWEST: by_newest,
    AlertOrder.OLDEST: lambda alert: (alert.first_seen, alert.id),
    AlertOrder.SEVERITY: lambda alert: (alert.severity_rank, by_newest(alert)),
}


@pytest.mark.parametrize("order", AlertOrder)
@pytest.mark.parametrize("size", [1, 7, 29, 30])
@pytest.mark.parametrize("who", [root, both, viewer], ids=lambda who: who.id)
async def test_pages_join_up_to_the_whole_in_order(context: Context, order: AlertOrder, size: int, who: Principal) -> None:
    alerts = many(30)
    await keep(context, *alerts)
    seen: list[Alert] = []
    after: str | None = None
    while True:
        page = await list_alerts(context, who, ALL, order, size, after)
        seen += page.items
        if not page.has_next:
            break
        assert len(page.items) == size
        after = page.cursors[-1]
    mine = [alert for alert in alerts if who.scope.covers(alert.tenant_id)]
    assert seen == sorted(mine, key=ORDERS[order])


async def test_what_comes_meanwhile_neither_repeats_nor_hides_an_alert(context: Context) -> None:
    await keep(context, *(an_alert(id=f"a{n}", subject_id=f"p{n}", first_seen=NOW - timedelta(seconds=n)) for n in range(4)))
    first = await list_alerts(context, mate, ALL, AlertOrder.NEWEST, 2, None)
    await keep(context, an_alert(id="new", subject_id="new", first_seen=NOW + timedelta(seconds=1)))
    second = await list_alerts(context, mate, ALL, AlertOrder.NEWEST, 2, first.cursors[-1])
    assert [alert.id for alert in (*first.items, *second.items)] == ["a0", "a1", "a2", "a3"]


async def test_a_page_begins_right_behind_its_cursor(context: Context) -> None:
    await keep(context, *(an_alert(id=f"a{n:03}", subject_id=f"p{n}", first_seen=NOW - timedelta(seconds=n)) for n in range(100)))
    page = await list_alerts(
        context, mate, ALL, AlertOrder.NEWEST, 1, encode_keyset(int(NOW.timestamp() * 1000) - 97_000, "a097")
    )
    assert [alert.id for alert in page.items] == ["a098"]


@pytest.mark.parametrize("tenants", [["acme"], ["acme", "umbrella"], None], ids=str)
async def test_open_alerts_are_found_without_reading_the_past(context: Context, tenants: list[str] | None) -> None:
    past = [an_alert(id=f"past-{n}", status=AlertStatus.RESOLVED) for n in range(200)]
    await keep(
        context, *past, *(an_alert(id=f"open-{n}", subject_id=f"p{n}", first_seen=NOW - timedelta(days=1)) for n in range(3))
    )
    where = alert_query(AlertFilter(status=(AlertStatus.OPEN, AlertStatus.ACKNOWLEDGED)))
    scoped = tenant_filter(Scope(None if tenants is None else frozenset(tenants)))
    alerts = context.mongo.database["provider_alerts"]
    plan = await alerts.find({**scoped, **where}).sort([("first_seen", -1), ("_id", -1)]).limit(51).explain()
    assert plan["executionStats"]["nReturned"] == 3
    assert plan["executionStats"]["totalDocsExamined"] <= 10


Read = Callable[[Context, Principal], Awaitable[Any]]
READS: dict[str, Read] = {
    "list": lambda context, who: list_alerts(context, who, AlertFilter(tenant_id="acme"), AlertOrder.NEWEST, 1, None),
    "count": lambda context, who: count_alerts(context, who, AlertFilter(tenant_id="acme")),
    "facets": lambda context, who: alert_facets(context, who, AlertFilter(tenant_id="acme")),
}


@pytest.mark.parametrize("name", READS)
@pytest.mark.parametrize(
    ("who", "error"), [(ANONYMOUS, UnauthenticatedError), (outsider, ForbiddenError)], ids=["nobody", "outsider"]
)
async def test_who_may_not_reads_nothing(context: Context, name: str, who: Principal, error: type[FleetbeatError]) -> None:
    with pytest.raises(error):
        await READS[name](context, who)


async def test_another_tenants_alert_is_not_there(context: Context) -> None:
    await keep(context, an_alert(id="ours"))
    assert await get_alert(context, outsider, "ours") is None
    assert await get_alert(context, viewer, "ours") == an_alert(id="ours")
    assert (await list_alerts(context, outsider, ALL, AlertOrder.NEWEST, 50, None)).items == []
    assert await count_alerts(context, outsider, ALL) == 0


async def test_every_bad_field_is_named_at_once(context: Context) -> None:
    chosen = AlertFilter(
        search="s" * 201,
        assignee="a" * 201,
        rule_keys=("r",) * 201,
        store_ids=("s",) * 201,
        device_ids=("d",) * 201,
        start=NOW,
        end=NOW,
    )
    with pytest.raises(BadInputError) as refused:
        await list_alerts(context, mate, chosen, AlertOrder.NEWEST, 0, "!")
    assert {field.path for field in refused.value.fields} == {
        "filter.search",
        "filter.assignee",
        "filter.ruleKeys",
        "filter.storeIds",
        "filter.deviceIds",
        "filter.range",
        "first",
        "after",
    }


@pytest.mark.parametrize("first", [-1, 0, 201])
async def test_a_page_has_1_to_200_alerts(context: Context, first: int) -> None:
    with pytest.raises(BadInputError, match="first"):
        await list_alerts(context, mate, ALL, AlertOrder.NEWEST, first, None)
    assert (await list_alerts(context, mate, ALL, AlertOrder.NEWEST, 200, None)).items == []


@pytest.mark.parametrize(
    ("order", "after"),
    [
        (AlertOrder.NEWEST, "no cursor"),
        (AlertOrder.SEVERITY, encode_keyset(2**70, 1_000, "a")),
        (AlertOrder.NEWEST, encode_keyset("a", "b")),
        (AlertOrder.NEWEST, encode_keyset(1, 2, "a")),
        (AlertOrder.NEWEST, encode_keyset(-1, "a")),
        (AlertOrder.NEWEST, encode_keyset(10**15, "a")),
        (AlertOrder.OLDEST, encode_keyset()),
        (AlertOrder.SEVERITY, encode_keyset(1, "a")),
    ],
)
async def test_a_cursor_of_something_else_is_refused(context: Context, order: AlertOrder, after: str) -> None:
    with pytest.raises(BadInputError) as refused:
        await list_alerts(context, mate, ALL, order, 50, after)
    assert [field.path for field in refused.value.fields] == ["after"]


async def test_facets_count_what_the_filter_leaves(context: Context) -> None:
    await keep(
        context,
        an_alert(id="1", severity=Severity.CRITICAL, store_id="north"),
        an_alert(id="2", subject_id="pos-2", store_id="north"),
        an_alert(id="3", subject_id="pos-3", rule_key="cpu_high", status=AlertStatus.ACKNOWLEDGED),
        an_alert(id="4", subject_id="pos-4", status=AlertStatus.RESOLVED),
        an_alert(id="5", tenant_id="umbrella"),
    )
    assert await alert_facets(context, both, AlertFilter(status=(AlertStatus.OPEN, AlertStatus.ACKNOWLEDGED))) == {
        "status": [("open", 3), ("acknowledged", 1)],
        "severity": [("high", 3), ("critical", 1)],
        "rule": [("device_offline", 3), ("cpu_high", 1)],
        "store": [("north", 2)],
        "tenant": [("acme", 3), ("umbrella", 1)],
    }
    assert await alert_facets(context, viewer, AlertFilter(search="nowhere")) == {
        facet: [] for facet in ("status", "severity", "rule", "store", "tenant")
    }
    assert await context.store.alert_lists.live_by_severity(viewer.scope) == {Severity.CRITICAL: 1, Severity.HIGH: 2}


async def test_a_stream_cursor_stands_behind_all_that_happened_in_the_callers_lanes(context: Context) -> None:
    ours, theirs = await opened(context), await opened(context, tenant_id="umbrella")
    await comment_alert(context, mate, ours.id, "hm")
    assert theirs.tenant_id == "umbrella"
    cursor = read_cursor(await stream_cursor(context, viewer))
    assert cursor.positions == {lane_of("acme"): 2}
    assert (cursor.epoch, cursor.issued_ms) == (await context.store.events.epoch(), int(NOW.timestamp() * 1000))
    assert read_cursor(await stream_cursor(context, root)).positions == {
        lane: {lane_of("acme"): 2, lane_of("umbrella"): 1}.get(lane, 0) for lane in range(LANES)
    }


async def test_a_timeline_is_newest_first(context: Context, clock: ManualClock) -> None:
    alert = await opened(context)
    for number in range(3):
        clock.advance(1)
        await comment_alert(context, mate, alert.id, f"comment {number}")
    await resolve_alert(context, mate, alert.id, "fixed", Resolution.MANUAL, None)
    await opened(context, subject_id="pos-2")
    [past, none, all_of_it] = await timelines(context, [(alert, 3), (an_alert(id="unheard of"), 3), (alert, 1_000)])
    assert [one.event.reason for one in past] == ["fixed", "comment 2", "comment 1"]
    assert none == []
    assert [one.event.seq for one in all_of_it] == [5, 4, 3, 2, 1]
    assert [read_cursor(one.cursor).positions for one in past] == [{lane_of("acme"): seq} for seq in (5, 4, 3)]
