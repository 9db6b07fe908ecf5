"""A list and a stream show the same: the filter says of an alert here what MongoDB says of it there."""

from datetime import timedelta
from random import Random

import pytest
from hypothesis import given, settings, strategies as st

from app.context import Context
from app.domain.alert import Alert, AlertEvent, AlertEventType, AlertStatus, Filterable, Severity
from app.domain.alert_filter import AlertFilter, event_matches, matches
from app.domain.subject import SubjectKind
from app.domain.tenant import EVERY_TENANT
from app.store.alert_lists import AlertOrder
from tests.alerts.world import an_alert, keep
from tests.cast import NOW

TENANTS = ["acme", "umbrella"]
RULES = ["device_offline", "Straße.*", "kalt[1]"]
STORES = ["north", "south"]
DEVICES = ["pos-1", "POS-2", "caf\u00e9", "a\0b"]
PEOPLE = ["olga", "mats"]
LETTERS = "aAbB.*[](\\^$|?+ {}-\n\0\u00df\u1e9eKk\u212a\u0130\u0131iI\u017fsS\u00e9\u00c9\u10d0\u1c90Ωω\u2126"
TEXTS = [
    "Device offline: Till 1",
    "STRASSE",
    "straße",
    "kelvin \u212a",
    "\u0130stanbul \u0131i",
    "a.b*c [x] (y) \\z",
    "line\nbreak",
    "nul\0here",
]


def random_alerts(count: int) -> list[Alert]:
    chance = Random(7)
    return [
        an_alert(
            id=f"alert-{number:03}",
            # One live alert to a rule and subject: the key need not be a real one here.
            dedup_key=f"key-{number}",
            tenant_id=chance.choice(TENANTS),
            rule_key=chance.choice(RULES),
            subject_id=chance.choice(DEVICES),
            severity=chance.choice(list(Severity)),
            status=chance.choice(list(AlertStatus)),
            store_id=chance.choice([None, *STORES]),
            subject_kind=chance.choice([SubjectKind.DEVICE, SubjectKind.STORE]),
            parent_id=chance.choice([None, "parent"]),
            assignee=chance.choice([None, *PEOPLE]),
            title=chance.choice(TEXTS),
            message="".join(chance.choices(LETTERS, k=6)),
            first_seen=NOW - timedelta(seconds=chance.randrange(5)),
        )
        for number in range(count)
    ]


def some(values: list[str]) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(st.sampled_from([*values, "nobody"]), max_size=2).map(tuple)


moments = st.none() | st.integers(-6, 2).map(lambda seconds: NOW + timedelta(seconds=seconds))
searches = (
    st.none() | st.sampled_from(["till", "OFFLINE", "strasse", "straße", "\u212a", "[x]", ".*"]) | st.text(LETTERS, max_size=3)
)
filters = st.builds(
    AlertFilter,
    tenant_id=st.none() | st.sampled_from(TENANTS),
    status=st.lists(st.sampled_from(AlertStatus), max_size=2).map(tuple),
    severity=st.lists(st.sampled_from(Severity), max_size=3).map(tuple),
    rule_keys=some(RULES),
    store_ids=some(STORES),
    device_ids=some(DEVICES),
    assignee=st.none() | st.sampled_from(PEOPLE),
    search=searches,
    start=moments,
    end=moments,
    include_suppressed=st.booleans(),
)
sparse_filters = filters | searches.map(lambda search: AlertFilter(search=search))


@pytest.fixture
async def alerts(context: Context) -> list[Alert]:
    made = random_alerts(200)
    await keep(context, *made)
    return made


@settings(max_examples=150)
@given(chosen=sparse_filters)
async def test_the_filter_and_the_query_find_the_same_alerts(context: Context, alerts: list[Alert], chosen: AlertFilter) -> None:
    found = await context.store.alert_lists.page(EVERY_TENANT, chosen, AlertOrder.NEWEST, None, len(alerts))
    assert {alert.id for alert in found} == {alert.id for alert in alerts if matches(chosen, alert)}
    assert await context.store.alert_lists.count(EVERY_TENANT, chosen) == len(found)


@pytest.mark.parametrize(
    ("chosen", "seen"),
    [
        (AlertFilter(status=(AlertStatus.OPEN,)), True),
        (AlertFilter(status=(AlertStatus.ACKNOWLEDGED,)), True),
        (AlertFilter(status=(AlertStatus.RESOLVED,)), False),
        (AlertFilter(assignee="olga"), True),
        (AlertFilter(assignee="mats"), True),
        (AlertFilter(assignee="mats", status=(AlertStatus.OPEN,)), False),
        (AlertFilter(status=(AlertStatus.OPEN,), rule_keys=("cpu_high",)), False),
    ],
)
def test_an_event_is_seen_by_who_sees_the_alert_before_or_after_it(chosen: AlertFilter, seen: bool) -> None:
    after = an_alert(status=AlertStatus.ACKNOWLEDGED, assignee="mats")
    before = Filterable(status=AlertStatus.OPEN, severity=Severity.HIGH, assignee="olga")
    event = AlertEvent(
        id="1-1",
        lane=1,
        seq=1,
        tenant_id="acme",
        alert_id=after.id,
        type=AlertEventType.ACKNOWLEDGED,
        at=NOW,
        alert=after,
        before=before,
    )
    assert event_matches(chosen, event) is seen


def test_what_opens_was_not_seen_before() -> None:
    event = AlertEvent(
        id="1-1", lane=1, seq=1, tenant_id="acme", alert_id="a", type=AlertEventType.OPENED, at=NOW, alert=an_alert(), before=None
    )
    assert event_matches(AlertFilter(status=(AlertStatus.OPEN,)), event)
    assert not event_matches(AlertFilter(status=(AlertStatus.RESOLVED,)), event)
