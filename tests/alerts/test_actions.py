"""What people do with an alert: who may, what it does, what it leaves in the record and in the audit."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest

from app.alert_actions import (
    acknowledge_alert,
    assign_alert,
    comment_alert,
    expire_acknowledgements,
    reopen_alert,
    resolve_alert,
    unacknowledge_alert,
)
from app.audit import audit_log
from app.clock import ManualClock
from app.context import Context
from app.domain.alert import Alert, AlertStatus, Resolution
from app.domain.tenant import EVERY_TENANT
from app.errors import BadInputError, ConflictError, FleetbeatError, ForbiddenError, NotFoundError, UnauthenticatedError
from app.principal import ANONYMOUS, Principal
from app.rules import rules_of
from tests.alerts.world import RULE_KEY, an_alert, keep, kept, opened, remembered, told
from tests.cast import NOW, mate, outsider, owner, root, viewer

Act = Callable[[Context, Principal, str], Awaitable[Alert]]

ACTIONS: dict[str, Act] = {
    "acknowledge": lambda context, who, alert_id: acknowledge_alert(context, who, alert_id, None, None, None),
    "unacknowledge": lambda context, who, alert_id: unacknowledge_alert(context, who, alert_id, None),
    "resolve": lambda context, who, alert_id: resolve_alert(context, who, alert_id, "fixed", Resolution.MANUAL, None),
    "reopen": lambda context, who, alert_id: reopen_alert(context, who, alert_id, "not fixed", None),
    "assign": lambda context, who, alert_id: assign_alert(context, who, alert_id, "vera", None),
    "comment": lambda context, who, alert_id: comment_alert(context, who, alert_id, "hm"),
}
FROM = {"unacknowledge": AlertStatus.ACKNOWLEDGED, "reopen": AlertStatus.RESOLVED}


@pytest.mark.parametrize("name", ACTIONS)
async def test_an_action_is_kept_recorded_and_audited(context: Context, name: str) -> None:
    alert = an_alert(status=FROM.get(name, AlertStatus.OPEN))
    await keep(context, alert)
    after = await ACTIONS[name](context, mate, alert.id)
    assert await kept(context, alert) == after
    [event] = await told(context, alert)
    assert (event.alert, event.actor, event.at) == (after, "mats", NOW)
    assert event.before is not None
    assert event.before.status is alert.status
    [entry] = (await audit_log(context, owner, None, 10, None)).items
    assert (entry.actor, entry.action, entry.target) == ("mats", f"alert.{name}", f"alert:{alert.id}")


@pytest.mark.parametrize("name", ACTIONS)
@pytest.mark.parametrize(
    ("who", "error"),
    [(ANONYMOUS, UnauthenticatedError), (viewer, ForbiddenError), (outsider, NotFoundError)],
    ids=["anonymous", "viewer", "outsider"],
)
async def test_who_may_not_does_nothing(context: Context, name: str, who: Principal, error: type[FleetbeatError]) -> None:
    alert = an_alert(status=FROM.get(name, AlertStatus.OPEN))
    await keep(context, alert)
    with pytest.raises(error):
        await ACTIONS[name](context, who, alert.id)
    assert await kept(context, alert) == alert
    assert await told(context, alert) == []
    assert (await audit_log(context, root, None, 10, None)).items == []


async def test_who_may_not_is_told_so_before_anything_is_checked(context: Context) -> None:
    with pytest.raises(UnauthenticatedError):
        await comment_alert(context, ANONYMOUS, "no such alert", "")
    with pytest.raises(ForbiddenError):
        await resolve_alert(context, viewer, "no such alert", "", Resolution.RECOVERED, None)


async def test_an_alert_that_is_not_there_is_not_found(context: Context) -> None:
    with pytest.raises(NotFoundError, match="there is no alert 'nothing'"):
        await comment_alert(context, mate, "nothing", "hm")


Call = Callable[[Context], Awaitable[Any]]


@pytest.mark.parametrize(
    ("call", "fields"),
    [
        (lambda c: acknowledge_alert(c, mate, "a", "n" * 2_001, NOW, None), ["note", "until"]),
        (lambda c: resolve_alert(c, mate, "a", " \n", Resolution.RECOVERED, None), ["reason", "kind"]),
        (lambda c: resolve_alert(c, mate, "a", "r" * 2_001, Resolution.MANUAL, None), ["reason"]),
        (lambda c: resolve_alert(c, mate, "a", "gone", Resolution.DEVICE_RETIRED, None), ["kind"]),
        (lambda c: reopen_alert(c, mate, "a", "", None), ["reason"]),
        (lambda c: comment_alert(c, mate, "a", ""), ["text"]),
        (lambda c: comment_alert(c, mate, "a", "t" * 4_001), ["text"]),
        (lambda c: assign_alert(c, mate, "a", "", None), ["assignee"]),
        (lambda c: assign_alert(c, mate, "a", "v" * 201, None), ["assignee"]),
    ],
)
async def test_every_bad_field_is_named_at_once(context: Context, call: Call, fields: list[str]) -> None:
    with pytest.raises(BadInputError) as refused:
        await call(context)
    assert [field.path for field in refused.value.fields] == fields


async def test_the_longest_words_fit(context: Context) -> None:
    alert = await opened(context)
    await comment_alert(context, mate, alert.id, "t" * 4_000)
    await acknowledge_alert(context, mate, alert.id, "n" * 2_000, None, None)
    await resolve_alert(context, mate, alert.id, "r" * 2_000, Resolution.FALSE_POSITIVE, None)
    assert [len(event.reason or "") for event in await told(context, alert)][1:] == [4_000, 2_000, 2_000]


async def test_a_blank_note_says_nothing(context: Context) -> None:
    alert = await opened(context)
    await acknowledge_alert(context, mate, alert.id, "  ", None, None)
    assert (await told(context, alert))[-1].reason is None


async def test_a_stale_view_is_refused_with_what_is_there(context: Context) -> None:
    alert = await opened(context)
    await assign_alert(context, owner, alert.id, "vera", 1)
    with pytest.raises(ConflictError) as refused:
        await acknowledge_alert(context, mate, alert.id, None, None, 1)
    assert refused.value.current == {
        "status": "OPEN",
        "version": 2,
        "assignee": "vera",
        "acknowledgedBy": None,
        "resolvedBy": None,
    }
    assert (await acknowledge_alert(context, mate, alert.id, None, None, 2)).version == 3


async def test_a_comment_moves_nothing_and_stands_in_the_audit(context: Context) -> None:
    alert = await opened(context)
    assert await comment_alert(context, mate, alert.id, "Till is unplugged.") == alert
    assert [(event.type.name, event.reason) for event in await told(context, alert)][1:] == [("COMMENTED", "Till is unplugged.")]
    [entry] = (await audit_log(context, owner, None, 10, None)).items
    assert (entry.before, entry.after) == (None, {"comment": "Till is unplugged."})


async def test_the_audit_says_what_an_action_changed(context: Context) -> None:
    alert = await opened(context)
    await assign_alert(context, mate, alert.id, "vera", None)
    [entry] = (await audit_log(context, owner, None, 10, None)).items
    assert (entry.before, entry.after) == ({"assignee": None, "version": 1}, {"assignee": "vera", "version": 2})


async def test_what_a_person_resolves_stays_quiet_for_the_cooldown(context: Context) -> None:
    [rule] = await rules_of(context, [("acme", RULE_KEY)])
    assert rule is not None
    alert = await opened(context)
    await resolve_alert(context, mate, alert.id, "known", Resolution.MANUAL, None)
    state = await remembered(context, alert)
    assert state is not None
    assert (state.firing, state.cooldown_until) == (False, NOW + timedelta(seconds=rule.cooldown_sec))
    assert state.next_due == state.cooldown_until


async def test_what_a_rule_that_is_gone_remembered_is_forgotten(context: Context) -> None:
    alert = await opened(context, rule_key="gone_by_now")
    await resolve_alert(context, mate, alert.id, "known", Resolution.MANUAL, None)
    assert await remembered(context, alert) is None


async def test_other_actions_leave_what_the_rule_remembers(context: Context) -> None:
    alert = await opened(context)
    before = await remembered(context, alert)
    await acknowledge_alert(context, mate, alert.id, None, None, None)
    await comment_alert(context, mate, alert.id, "hm")
    assert await remembered(context, alert) == before


async def test_an_alert_cannot_come_back_beside_its_successor(context: Context) -> None:
    past, live = an_alert(id="past", status=AlertStatus.RESOLVED), an_alert(id="live", status=AlertStatus.ACKNOWLEDGED)
    await keep(context, past, live)
    with pytest.raises(ConflictError, match="alert live of the same rule and subject is live") as refused:
        await reopen_alert(context, mate, past.id, "not fixed", None)
    assert refused.value.current == {"liveAlertId": "live", "status": "ACKNOWLEDGED", "version": 1}
    assert await kept(context, past) == past
    await resolve_alert(context, mate, live.id, "fixed", Resolution.MANUAL, None)
    assert (await reopen_alert(context, mate, past.id, "not fixed", None)).live


async def test_the_same_subject_of_another_tenant_is_no_successor(context: Context) -> None:
    past, theirs = an_alert(id="past", status=AlertStatus.RESOLVED), an_alert(id="theirs", tenant_id="umbrella")
    await keep(context, past, theirs)
    assert (await reopen_alert(context, mate, past.id, "not fixed", None)).status is AlertStatus.OPEN


async def test_an_acknowledgement_ends_when_it_was_to(context: Context, clock: ManualClock) -> None:
    until = NOW + timedelta(minutes=10)
    timed, open_end = await opened(context, subject_id="pos-1"), await opened(context, subject_id="pos-2")
    theirs = await opened(context, tenant_id="umbrella")
    ended = await opened(context, subject_id="pos-3")
    for alert, lasting in ((timed, until), (theirs, until), (open_end, None), (ended, until)):
        await acknowledge_alert(context, root, alert.id, None, lasting, None)
    await resolve_alert(context, mate, ended.id, "fixed", Resolution.MANUAL, None)

    clock.advance(599.999)
    assert await expire_acknowledgements(context, clock.now()) == 0
    clock.advance(0.001)
    assert await expire_acknowledgements(context, clock.now()) == 2
    assert await expire_acknowledgements(context, clock.now()) == 0

    for alert in (timed, theirs):
        after, last = await kept(context, alert), (await told(context, alert))[-1]
        assert (after.status, after.acknowledged_until, last.type.name, last.actor) == (
            AlertStatus.OPEN,
            None,
            "UNACKNOWLEDGED",
            None,
        )
    assert (await kept(context, open_end)).status is AlertStatus.ACKNOWLEDGED
    assert (await kept(context, ended)).status is AlertStatus.RESOLVED


async def test_a_look_for_ended_acknowledgements_reads_only_those(context: Context) -> None:
    past = NOW - timedelta(days=1)
    resolved = [an_alert(id=f"r{n}", status=AlertStatus.RESOLVED, acknowledged_until=past) for n in range(50)]
    await keep(context, *resolved, an_alert(id="due", status=AlertStatus.ACKNOWLEDGED, acknowledged_until=past))
    where = {"status": "acknowledged", "acknowledged_until": {"$lte": NOW}}
    plan = await context.mongo.database["provider_alerts"].find(where).sort("acknowledged_until", 1).explain()
    assert plan["executionStats"]["totalKeysExamined"] == 1
    assert [alert.id for alert in await context.store.alert_lists.acknowledged_until(NOW)] == ["due"]
    assert (await context.store.alerts.get_many(EVERY_TENANT, ["due"]))["due"].live
