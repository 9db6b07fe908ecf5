"""Parents and their children on the wire."""

from datetime import timedelta
from typing import Any

from app.domain.alert import AlertEvent, AlertEventType, Filterable, Severity
from app.domain.alert_filter import AlertFilter, event_matches
from app.domain.fate import SOURCE
from app.domain.ids import dedup_key
from app.domain.subject import SubjectKind
from tests.alerts.world import an_alert, keep
from tests.cast import NOW, outsider, viewer
from tests.counting import counted
from tests.evaluation.fleet import Fleet
from tests.wire import ask

FAMILY = """query ($id: ID!, $first: Int) { alert(id: $id) { title subjectKind subjectId device { deviceId } parent { id }
  children(first: $first) { id parent { id } suppressedBy } childCount suppressedBy } }"""
LIST = """query ($suppressed: Boolean, $devices: [ID!]) {
  alerts(filter: {includeSuppressed: $suppressed, deviceIds: $devices}) {
    totalCount nodes { id parent { id title } childCount children { id } device { deviceId } } } }"""


def a_parent(**fields: Any) -> Any:
    key = dedup_key("device_offline", "store", "north")
    given = {"id": "p", "subject_kind": SubjectKind.STORE, "subject_id": "north", "dedup_key": key, "source": SOURCE, **fields}
    return an_alert(**given)


async def a_family(fleet: Fleet, children: int = 3) -> None:
    await fleet.add("north", "till-0")
    parent = a_parent()
    members = [
        an_alert(id=f"c-{number}", subject_id=f"till-{number}", parent_id="p", first_seen=NOW - timedelta(seconds=number))
        for number in range(children)
    ]
    await keep(fleet.context, parent, *members, an_alert(id="alone", subject_id="till-9"))


async def test_a_parent_shows_its_children_the_newest_first(fleet: Fleet) -> None:
    await a_family(fleet)
    shown = (await ask(fleet.context, viewer, FAMILY, id="p", first=2))["alert"]
    assert [child["id"] for child in shown["children"]] == ["c-0", "c-1"]
    assert (shown["childCount"], shown["parent"], shown["suppressedBy"]) == (3, None, [])
    assert shown["children"][0] == {"id": "c-0", "parent": {"id": "p"}, "suppressedBy": ["parent:p"]}


async def test_an_alert_of_a_store_has_no_device_though_one_has_its_name(fleet: Fleet) -> None:
    await a_family(fleet)
    shown = (await ask(fleet.context, viewer, FAMILY, id="p"))["alert"]
    assert (shown["subjectKind"], shown["subjectId"], shown["device"]) == ("STORE", "north", None)
    assert await fleet.alerts("north") == []


async def test_a_list_without_what_is_suppressed_has_parents_and_those_on_their_own(fleet: Fleet) -> None:
    await a_family(fleet)
    everything = (await ask(fleet.context, viewer, LIST))["alerts"]
    assert everything["totalCount"] == 5
    told = (await ask(fleet.context, viewer, LIST, suppressed=False))["alerts"]
    assert (told["totalCount"], {node["id"] for node in told["nodes"]}) == (2, {"p", "alone"})


async def test_a_filter_of_devices_takes_no_store_for_one(fleet: Fleet) -> None:
    await a_family(fleet)
    assert (await ask(fleet.context, viewer, LIST, devices=["north"]))["alerts"]["totalCount"] == 0
    assert (await ask(fleet.context, viewer, LIST, devices=["till-0"]))["alerts"]["totalCount"] == 1


async def test_families_of_a_list_are_read_together(fleet: Fleet, database: str) -> None:
    await a_family(fleet, children=2)
    with counted(database) as few:
        await ask(fleet.context, viewer, LIST)
    more = [an_alert(id=f"d-{number}", subject_id=f"more-{number}", parent_id="p") for number in range(30)]
    await keep(fleet.context, *more)
    with counted(database) as many:
        await ask(fleet.context, viewer, LIST)
    assert len(many) == len(few)


async def test_another_tenant_sees_no_family(fleet: Fleet) -> None:
    await a_family(fleet)
    assert (await ask(fleet.context, outsider, FAMILY, id="p"))["alert"] is None
    await keep(fleet.context, an_alert(id="theirs", tenant_id="umbrella", parent_id="p"))
    assert (await ask(fleet.context, outsider, FAMILY, id="theirs"))["alert"]["parent"] is None
    assert (await ask(fleet.context, viewer, FAMILY, id="p"))["alert"]["childCount"] == 3


def test_a_stream_without_what_is_suppressed_sees_an_alert_leave_and_come_back() -> None:
    chosen = AlertFilter(include_suppressed=False)
    on_its_own = Filterable(status=an_alert().status, severity=Severity.HIGH)
    folded = Filterable(status=an_alert().status, severity=Severity.HIGH, folded=True)
    assert event_matches(chosen, event(AlertEventType.GROUPED, on_its_own, parent_id="p"))
    assert event_matches(chosen, event(AlertEventType.UNGROUPED, folded, parent_id=None))
    assert not event_matches(chosen, event(AlertEventType.COMMENTED, folded, parent_id="p"))


def event(kind: AlertEventType, before: Filterable, **fields: Any) -> AlertEvent:
    alert = an_alert(**fields)
    return AlertEvent(id="1-1", lane=1, seq=1, tenant_id="acme", alert_id=alert.id, type=kind, at=NOW, alert=alert, before=before)
