"""Many alerts at once: each is answered for itself."""

from typing import Any

import pytest
from pymongo import MongoClient

from app.acting import ActionResult
from app.alert_actions import MOST_IN_BULK, acknowledge_alerts, resolve_alerts
from app.audit import audit_log
from app.context import Context
from app.domain.alert import AlertStatus, Resolution
from app.domain.ids import lane_of
from app.errors import BadInputError, ErrorCode, ForbiddenError, UnauthenticatedError
from app.principal import ANONYMOUS
from tests.alerts.world import an_alert, keep, kept, opened, remembered, told
from tests.cast import both, mate, owner, viewer
from tests.counting import counted


def answers(results: list[ActionResult]) -> list[tuple[str, ErrorCode | None]]:
    return [(one.id, one.code) for one in results]


async def test_what_fails_for_one_does_not_hurt_the_others(context: Context) -> None:
    good, theirs = an_alert(id="good"), an_alert(id="theirs", tenant_id="umbrella")
    done = an_alert(id="done", subject_id="pos-2", status=AlertStatus.RESOLVED)
    await keep(context, good, theirs, done)
    results = await acknowledge_alerts(context, mate, ["done", "nothing", "theirs", "good"], "on it")
    assert answers(results) == [
        ("done", ErrorCode.CONFLICT),
        ("nothing", ErrorCode.NOT_FOUND),
        ("theirs", ErrorCode.NOT_FOUND),
        ("good", None),
    ]
    assert [one.alert and one.alert.status for one in results] == [AlertStatus.RESOLVED, None, None, AlertStatus.ACKNOWLEDGED]
    assert [bool(one.message) for one in results] == [True, True, True, False]
    assert (await kept(context, good)).acknowledged_by == "mats"
    assert await kept(context, theirs) == theirs


async def test_an_id_that_comes_twice_is_answered_once(context: Context) -> None:
    alert = await opened(context)
    results = await acknowledge_alerts(context, mate, [alert.id, "nothing", alert.id, "nothing"], None)
    assert answers(results) == [(alert.id, None), ("nothing", ErrorCode.NOT_FOUND)]
    assert [event.type.name for event in await told(context, alert)] == ["OPENED", "ACKNOWLEDGED"]


async def test_each_is_recorded_audited_and_cooled_down(context: Context) -> None:
    alerts = [await opened(context, subject_id=f"pos-{n}") for n in range(3)]
    results = await resolve_alerts(context, mate, [one.id for one in alerts], "a drill", Resolution.FALSE_POSITIVE)
    assert {one.code for one in results} == {None}
    for alert in alerts:
        after, state, last = await kept(context, alert), await remembered(context, alert), (await told(context, alert))[-1]
        assert (after.resolution, after.resolution_note, last.reason) == (Resolution.FALSE_POSITIVE, "a drill", "a drill")
        assert state is not None
        assert state.cooldown_until is not None
    entries = (await audit_log(context, owner, None, 10, None)).items
    assert sorted((entry.action, entry.target) for entry in entries) == [("alert.resolve", f"alert:{one.id}") for one in alerts]


async def test_a_lane_is_one_transaction(context: Context, database: str) -> None:
    alerts = [an_alert(id=f"a{n}", subject_id=f"pos-{n}") for n in range(40)]
    await keep(context, *alerts, an_alert(id="u", tenant_id="umbrella"))
    assert lane_of("acme") != lane_of("umbrella")
    with counted("admin") as commands:
        results = await acknowledge_alerts(context, both, [*(one.id for one in alerts), "u"], None)
    assert {one.code for one in results} == {None}
    assert commands == ["commitTransaction", "commitTransaction"]


async def test_a_lane_that_cannot_be_written_does_not_hurt_the_others(
    context: Context, mongo_client: "MongoClient[dict[str, Any]]"
) -> None:
    ours, theirs = an_alert(id="ours"), an_alert(id="theirs", tenant_id="umbrella")
    await keep(context, ours, theirs)
    broken = min(ours, theirs, key=lambda alert: lane_of(alert.tenant_id))
    whole = theirs if broken is ours else ours
    too_slow = {"failCommands": ["findAndModify"], "errorCode": 50, "appName": "fleetbeat"}
    mongo_client.admin.command("configureFailPoint", "failCommand", mode={"times": 1}, data=too_slow)
    try:
        results = {one.id: one for one in await acknowledge_alerts(context, both, [ours.id, theirs.id], None)}
    finally:
        mongo_client.admin.command("configureFailPoint", "failCommand", mode="off")
    assert (results[broken.id].code, results[whole.id].code) == (ErrorCode.UNAVAILABLE, None)
    assert (await kept(context, broken)).status is AlertStatus.OPEN
    assert (await kept(context, whole)).status is AlertStatus.ACKNOWLEDGED


async def test_nothing_is_nothing(context: Context) -> None:
    assert await acknowledge_alerts(context, mate, [], None) == []


async def test_five_hundred_are_the_most(context: Context) -> None:
    alerts = [an_alert(id=f"a{n}", subject_id=f"pos-{n}") for n in range(MOST_IN_BULK)]
    await keep(context, *alerts)
    ids = [alert.id for alert in alerts]
    with pytest.raises(BadInputError) as refused:
        await resolve_alerts(context, mate, [*ids, "one more"], "", Resolution.RECOVERED)
    assert [field.path for field in refused.value.fields] == ["ids", "reason", "kind"]
    assert {one.code for one in await acknowledge_alerts(context, mate, [*ids, *ids], None)} == {None}


async def test_who_may_not_is_told_so_first(context: Context) -> None:
    with pytest.raises(UnauthenticatedError):
        await acknowledge_alerts(context, ANONYMOUS, ["a"] * 501, "n" * 3_000)
    with pytest.raises(ForbiddenError):
        await resolve_alerts(context, viewer, ["a"], "", Resolution.RECOVERED)
