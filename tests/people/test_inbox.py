"""What a person is told inside Fleetbeat: written once, read by its owner alone."""

from datetime import timedelta
from typing import Any

import pytest
from pymongo import MongoClient

from app.channels.in_app import InAppWay
from app.context import Context
from app.domain.alert import AlertEventType, AlertStatus, Severity
from app.domain.channel import InAppConfig
from app.domain.delivery import Never, Sent, TryAgain
from app.domain.message import Bundling
from app.domain.tenant import EVERY_TENANT, Member, Role
from app.notifications import Notice, tell_admins
from tests.cast import NOW, mate, outsider, owner, person, root, viewer
from tests.elsewhere import failing
from tests.people.making import a_message, a_note, own_channel, told
from tests.wire import ask, refusal

LIST = """query($unread: Boolean, $first: Int) { notifications(unreadOnly: $unread, first: $first) {
  id tenantId at title body severity alertId readAt } }"""
MARK = "mutation($ids: [ID!]!) { markNotificationsRead(ids: $ids) }"
TEST = "mutation { testNotification { recipient status channel { name } } }"
INBOX = InAppConfig(user_ids=("vera",))
KEEP = timedelta(days=90)


async def inbox(context: Context, principal: Any = viewer, **variables: Any) -> list[Any]:
    found: list[Any] = (await ask(context, principal, LIST, **variables))["notifications"]
    return found


def way(context: Context) -> InAppWay:
    return InAppWay(context.store.notifications, context.bus, KEEP)


async def test_an_alert_is_told_with_what_happened_since_when_and_by_how_much(context: Context) -> None:
    note = a_note(value=130.0, threshold=120.0, unit="s", runbook_url="https://wiki.example.com/till")
    assert await way(context).send(INBOX, a_message(note)) == Sent()
    assert await inbox(context) == [
        {
            "id": "delivery-1:vera",
            "tenantId": "acme",
            "at": "2026-11-21T06:00:00.000Z",
            "title": "Device offline: Till 1",
            "body": "silent for 130 s\nsince 07:00:00 CET · Acme · pos-1\nvalue 130 s, threshold 120 s\n"
            "Runbook: https://wiki.example.com/till",
            "severity": "HIGH",
            "alertId": note.alert.id,
            "readAt": None,
        }
    ]


async def test_the_end_of_an_alert_says_that_it_is_over(context: Context) -> None:
    over = a_note(AlertEventType.RESOLVED, status=AlertStatus.RESOLVED, resolved_at=NOW + timedelta(minutes=5))
    await way(context).send(INBOX, a_message(over))
    [shown] = await inbox(context)
    assert shown["title"] == "Resolved: Device offline: Till 1"
    assert "after 5 min, from 07:00:00 to 07:05:00 CET" in shown["body"]


async def test_a_bundle_lists_everything_and_is_as_bad_as_its_worst(context: Context) -> None:
    notes = [
        a_note(subject_id=f"pos-{number}", title=f"Offline: Till {number}", severity=severity)
        for number, severity in enumerate((Severity.LOW, Severity.CRITICAL, Severity.HIGH))
    ]
    await way(context).send(INBOX, a_message(*notes, bundling=Bundling.QUIET_HOURS))
    [shown] = await inbox(context)
    assert shown["title"] == "Acme: 3 alerts from your quiet hours, all open"
    assert shown["body"].splitlines() == [
        "CRITICAL · Offline: Till 1 · since 07:00:00 CET",
        "HIGH · Offline: Till 2 · since 07:00:00 CET",
        "LOW · Offline: Till 0 · since 07:00:00 CET",
    ]
    assert (shown["severity"], shown["alertId"]) == ("CRITICAL", None)


async def test_a_long_bundle_names_the_worst_and_says_how_many_more_there_are(context: Context) -> None:
    notes = [a_note(subject_id=f"pos-{number}", id=f"alert-{number}") for number in range(130)]
    await way(context).send(INBOX, a_message(*notes, bundling=Bundling.DIGEST))
    [shown] = await inbox(context)
    assert shown["title"] == "Acme: 130 alerts in your digest, all open"
    assert len(shown["body"].splitlines()) == 101
    assert shown["body"].endswith("… and 30 more")


async def test_a_test_says_that_it_is_one(context: Context) -> None:
    await way(context).send(INBOX, a_message())
    [shown] = await inbox(context)
    assert (shown["title"], shown["severity"]) == ("Test of the channel Inbox", "INFO")


@pytest.mark.parametrize("title", ["$title", "<b>{{ 1 }}</b>", "a\nb", "🔴"])
async def test_a_title_is_kept_as_it_is_whatever_is_in_it(context: Context, title: str) -> None:
    await way(context).send(INBOX, a_message(a_note(title=title)))
    assert (await inbox(context))[0]["title"] == title.replace("\n", " ")


async def test_told_again_it_is_the_same_notification_and_stays_read(context: Context) -> None:
    message = a_message(a_note())
    await way(context).send(INBOX, message)
    [first] = await context.store.notifications.page(EVERY_TENANT, "vera", False, 10)
    await ask(context, viewer, MARK, ids=[first.id])
    assert await way(context).send(INBOX, message) == Sent()
    [again] = await context.store.notifications.page(EVERY_TENANT, "vera", False, 10)
    assert (again.written_at, again.read_at) == (first.written_at, NOW)


async def test_it_is_kept_as_long_as_deliveries_are(context: Context) -> None:
    await way(context).send(INBOX, a_message(a_note()))
    [kept] = await context.store.notifications.page(EVERY_TENANT, "vera", False, 10)
    assert kept.expire_at == NOW + KEEP


async def test_a_message_for_nobody_would_fail_again(context: Context) -> None:
    answer = await way(context).send(InAppConfig(), a_message(a_note(), to=None))
    assert isinstance(answer, Never)


async def test_a_message_that_names_nobody_is_for_those_whom_the_channel_names(context: Context) -> None:
    await way(context).send(InAppConfig(user_ids=("vera", "mats")), a_message(a_note(), to=None))
    assert [len(await inbox(context, who)) for who in (viewer, mate, owner)] == [1, 1, 0]


async def test_what_the_database_does_not_take_is_tried_again(
    context: Context, mongo_client: "MongoClient[dict[str, Any]]"
) -> None:
    with failing(mongo_client, "update", times=1, errorCode=50):
        assert await way(context).send(INBOX, a_message(a_note())) == TryAgain("the database did not take it")
    assert await inbox(context) == []
    assert await way(context).send(INBOX, a_message(a_note())) == Sent()


async def test_the_list_begins_with_the_newest_and_may_leave_out_what_was_read(context: Context) -> None:
    await context.store.notifications.put([told(1), told(2), told(3)])
    assert [one["title"] for one in await inbox(context)] == ["Trouble 3", "Trouble 2", "Trouble 1"]
    assert (await ask(context, viewer, MARK, ids=["2:vera"]))["markNotificationsRead"] == 1
    assert [one["title"] for one in await inbox(context, unread=True)] == ["Trouble 3", "Trouble 1"]
    assert [one["title"] for one in await inbox(context, first=1)] == ["Trouble 3"]


async def test_reading_counts_what_was_unread_and_ones_own(context: Context) -> None:
    await context.store.notifications.put([told(1), told(2), told(3, "mats")])
    ids = ["1:vera", "2:vera", "2:vera", "3:mats", "nothing"]
    assert (await ask(context, viewer, MARK, ids=ids))["markNotificationsRead"] == 2
    assert (await ask(context, viewer, MARK, ids=ids))["markNotificationsRead"] == 0
    assert (await inbox(context, mate))[0]["readAt"] is None


async def test_five_hundred_are_marked_at_once_and_no_more(context: Context) -> None:
    assert await refusal(context, viewer, MARK, ids=["x"] * 501) == ("BAD_USER_INPUT", ["ids"])
    assert await refusal(context, viewer, LIST, first=201) == ("BAD_USER_INPUT", ["first"])


async def test_who_left_a_tenant_no_longer_sees_what_it_told(context: Context) -> None:
    await context.store.notifications.put([told(1), told(2, tenant_id="umbrella")])
    both, moved = person("vera", Role.VIEWER, "acme", "umbrella"), person("vera", Role.VIEWER, "umbrella")
    assert [one["tenantId"] for one in await inbox(context, both)] == ["umbrella", "acme"]
    assert [one["tenantId"] for one in await inbox(context, moved)] == ["umbrella"]
    assert (await ask(context, moved, MARK, ids=["1:vera", "2:vera"]))["markNotificationsRead"] == 1


async def members(context: Context, *people: Any) -> None:
    for one in people:
        tenants = sorted(one.tenant_ids or ())
        await context.store.members.note(Member(id=one.id, email=None, role=one.role, tenant_ids=tenants, last_seen=NOW))


async def test_the_admins_of_a_tenant_are_told_and_nobody_else(context: Context) -> None:
    await members(context, owner, mate, viewer, outsider, root)
    assert await tell_admins(
        context, "acme", Notice(key="nobody:1", title="Nobody was told", body="Of alert 1", alert_id="alert-1")
    ) == ["olga"]
    [shown] = await inbox(context, owner)
    assert (shown["title"], shown["body"], shown["severity"], shown["alertId"]) == (
        "Nobody was told",
        "Of alert 1",
        "HIGH",
        "alert-1",
    )


async def test_where_a_tenant_has_no_admin_super_admins_are_told(context: Context) -> None:
    await members(context, mate, outsider, root)
    assert await tell_admins(context, "acme", Notice(key="x", title="Nobody was told", body="")) == ["root"]
    assert [one["tenantId"] for one in await inbox(context, root)] == ["acme"]


async def test_admins_are_told_of_the_same_once(context: Context) -> None:
    await members(context, owner)
    for key in ("silence:06", "silence:06", "silence:07"):
        await tell_admins(context, "acme", Notice(key=key, title="Nobody was told", body=""))
    assert len(await inbox(context, owner)) == 2


async def test_a_test_goes_to_each_of_ones_own_channels_in_order(context: Context) -> None:
    for channel in (own_channel("a"), own_channel("b"), own_channel("off", enabled=False), own_channel("c", "mats")):
        await context.store.channels.insert(channel)
    await context.store.preferences.change("vera", {"channel_ids": ["vera-b", "vera-a", "vera-off"]})
    tests = (await ask(context, viewer, TEST))["testNotification"]
    assert [(one["channel"]["name"], one["status"]) for one in tests] == [("b", "PENDING"), ("a", "PENDING")]
    kept = await context.store.deliveries.page(EVERY_TENANT, None, (), 10)
    assert {one.channel_id for one in kept} == {"vera-a", "vera-b"}


async def test_who_has_no_channel_of_their_own_is_told_so(context: Context) -> None:
    assert (await refusal(context, viewer, TEST))[0] == "CONFLICT"
