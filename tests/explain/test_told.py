"""Whether a person was told of an alert, by what and when, or why not."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from app.clock import ManualClock
from app.domain.alert import AlertEventType, Severity
from app.domain.channel_input import EmailInput, InAppInput, SlackInput, WebhookInput
from app.domain.preferences import Preferences
from app.domain.quiet_hours import QuietHours
from app.domain.tenant import Member, Role
from app.principal import Principal, PrincipalKind
from app.store.encoding import to_document
from tests.cast import NOW, mate, open_test_context, outsider, owner, root, viewer
from tests.delivery.receiver import Receiver, receiving
from tests.delivery.world import KEY, World
from tests.domain.making import a_rule, cpu_over
from tests.evaluation.fleet import Fleet
from tests.wire import ask, refusal

PARTS = "{ summary steps { at stage outcome reason detail } next { at what } }"
ALERT = f"query ($id: ID!, $userId: ID) {{ explainAlert(id: $id, userId: $userId) {PARTS} }}"
RULE = f'query {{ explainRule(ruleId: "hot", deviceId: "till-1") {PARTS} }}'
NIGHT = QuietHours(enabled=True, start="05:00", end="07:00", timezone="UTC")
PROGRAM = Principal(PrincipalKind.API_KEY, "vera", Role.VIEWER, frozenset(("acme",)))


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        yield receiver


@pytest.fixture
async def world(mongo_uri: str, redis_url: str, database: str, receiver: Receiver) -> AsyncIterator[World]:
    clock = ManualClock(NOW)
    async with open_test_context(mongo_uri, redis_url, database, clock, allow_private_webhooks=True) as context:
        world = World(context, clock, receiver)
        for one in (owner, mate, viewer):
            await joins(world, one)
        yield world


async def joins(world: World, one: Principal) -> None:
    tenants = sorted(one.tenant_ids or ())
    assert one.role is not None
    member = Member(id=one.id, email=one.email, role=one.role, tenant_ids=tenants, last_seen=NOW)
    await world.context.store.members.note(member)


async def own(world: World, **values: Any) -> None:
    """Vera's own, which she calls her phone."""
    await world.channel(viewer, name="phone", personal=True, **values)


async def prefers(world: World, **fields: Any) -> None:
    document = to_document(Preferences(id="vera", **fields))
    await world.context.store.preferences.change(document.pop("_id"), document)


def at(seconds: float) -> str:
    return (NOW + timedelta(seconds=seconds)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


async def explained(world: World, principal: Principal = mate, user_id: str | None = "vera", subject: str = "pos-1") -> Any:
    return (await ask(world.context, principal, ALERT, id=f"alert-{subject}", userId=user_id))["explainAlert"]


async def told(world: World, principal: Principal = mate, user_id: str = "vera") -> list[tuple[str, str]]:
    found = await explained(world, principal, user_id)
    return [(step["outcome"], step["reason"]) for step in found["steps"] if step["stage"] == "told"]


async def the_one(world: World, principal: Principal = mate, user_id: str = "vera") -> tuple[str, str]:
    [step] = await told(world, principal, user_id)
    return step


async def test_who_was_told_learns_by_what_and_when(world: World) -> None:
    await own(world)
    await world.open()
    await world.send(3)
    outcome, reason = await the_one(world, viewer)
    assert outcome == "SENT"
    assert reason.startswith("device.offline by their own channel phone (http://127.0.0.1:")
    assert reason.endswith("was sent, on 2026-11-21 06:00:03 UTC")
    found = await explained(world, viewer)
    assert found["summary"].startswith("vera was told: device.offline by their own channel phone")
    assert found["steps"][-1]["at"] == at(3)


async def test_somebody_elses_own_channel_is_called_by_no_name(world: World) -> None:
    await own(world)
    await world.open()
    await world.send()
    found = await explained(world, mate)
    assert "by their own channel (http://127.0.0.1" in found["steps"][-1]["reason"]
    assert "channelId" not in found["steps"][-1]["detail"]
    assert "phone" not in str(found)
    assert "phone" not in str(await explained(world, mate, None))


async def test_a_channel_that_stood_in_is_called_by_no_name_either(world: World) -> None:
    await own(world)
    world.clock.advance(1)
    await world.channel(viewer, path="/second", name="secret tablet", personal=True)
    await world.open()
    world.receiver.answers = [404]
    await world.send()
    assert [outcome for outcome, _ in await told(world)] == ["FAILED", "SENT"]
    for found in (await explained(world, mate), await explained(world, mate, None)):
        assert "tablet" not in str(found)
    whole = str(await explained(world, mate, None))
    assert "answered 404; another channel of vera tells it instead" in whole


async def test_a_try_that_failed_says_when_the_next_one_is(world: World) -> None:
    await own(world)
    await world.open()
    world.receiver.answers = [503]
    await world.send()
    outcome, reason = await the_one(world)
    assert outcome == "PENDING"
    assert "failed 1 times, at last with: answered 503; try 2 of 12 is on 2026-11-21 06:00:0" in reason
    found = await explained(world)
    assert found["summary"].startswith("vera is not told yet: ")
    assert found["steps"][-1]["detail"]["attempts"] == 1
    [planned] = [step for step in found["next"] if "goes to" in step["what"]]
    assert planned["what"].endswith("again: try 2 of 12, after: answered 503")
    assert at(1) < planned["at"] < at(4)


async def test_what_was_given_up_says_after_how_many_tries_and_why(world: World) -> None:
    await own(world)
    await world.open()
    world.receiver.answers = [404]
    await world.send()
    outcome, reason = await the_one(world)
    assert (outcome, "was given up after 1 tries: answered 404; nobody stands in" in reason) == ("DEAD", True)
    assert (await explained(world))["summary"].startswith("vera could not be told: ")


async def test_a_severity_that_one_does_not_want_is_the_reason(world: World) -> None:
    await own(world)
    await prefers(world, severities=(Severity.CRITICAL,))
    await world.open()
    outcome, reason = await the_one(world)
    assert (outcome, "was not told: vera does not want severity HIGH" in reason) == ("SKIPPED", True)
    assert (await explained(world))["summary"].startswith("vera was not told: ")


async def test_quiet_hours_say_until_when(world: World) -> None:
    await own(world)
    await prefers(world, quiet_hours=NIGHT)
    await world.open()
    await world.send()
    outcome, reason = await the_one(world)
    assert outcome == "PENDING"
    assert "is held until 2026-11-21 07:00:00 UTC: their quiet hours last until then" in reason
    found = await explained(world)
    detail = found["steps"][-1]["detail"]
    assert (detail["held"], detail["heldUntil"]) == ("QUIET_HOURS", "2026-11-21T07:00:00+00:00")
    [planned] = [step for step in found["next"] if "goes to" in step["what"]]
    assert planned["at"] == at(3600)
    assert planned["what"].endswith(": the quiet hours of vera are over, if it is still live")


async def test_what_came_at_the_end_of_quiet_hours_says_so(world: World) -> None:
    await own(world, config=SlackInput(webhook_url=f"{world.receiver.url}/slack"))
    await prefers(world, quiet_hours=NIGHT)
    await world.open()
    await world.open(subject_id="pos-2")
    await world.send(3600)
    assert "was sent at the end of their quiet hours, on 2026-11-21 07:00:00 UTC" in (await the_one(world))[1]


async def test_a_digest_says_when_it_comes(world: World) -> None:
    await own(world)
    await prefers(world, digest_sec=900)
    await world.open()
    assert "is held until 2026-11-21 06:15:00 UTC: their digest comes then" in (await the_one(world))[1]


async def test_what_is_in_a_bundle_goes_the_bundles_way(world: World) -> None:
    await own(world, config=SlackInput(webhook_url=f"{world.receiver.url}/slack"))
    for number in range(3):
        await world.open(subject_id=f"pos-{number}")
    await world.send()
    assert "waits for its turn until 2026-11-21 06:00:05 UTC" in (await the_one_of(world, "pos-2"))[1]
    world.receiver.answers = [503]
    await world.send(5)
    outcome, reason = await the_one_of(world, "pos-2")
    assert (outcome, "failed 1 times, at last with: answered 503; try 2 of 12" in reason) == ("PENDING", True)
    await world.send(5)
    outcome, reason = await the_one_of(world, "pos-2")
    assert (outcome, "was sent in one message with others, after 2 tries" in reason) == ("SENT", True)


async def the_one_of(world: World, subject: str) -> tuple[str, str]:
    [step] = [step for step in (await explained(world, subject=subject))["steps"] if step["stage"] == "told"]
    return step["outcome"], step["reason"]


async def test_every_telling_of_an_alert_has_its_step(world: World) -> None:
    await own(world)
    alert = await world.open()
    await world.send()
    await world.end(alert)
    await world.send(9)
    assert [(outcome, reason.split(" by ")[0]) for outcome, reason in await told(world)] == [
        ("SENT", "device.offline"),
        ("SENT", "device.online"),
    ]


async def test_an_end_waits_for_the_opening_before_it(world: World) -> None:
    await own(world)
    alert = await world.open()
    await world.end(alert)
    assert "waits for the telling before it" in (await told(world))[1][1]
    planned = [step["what"] for step in (await explained(world, user_id=None))["next"] if "goes to" in step["what"]]
    assert planned[1].endswith(", at the earliest: it follows device.offline")


async def test_a_shared_channel_that_names_a_person_tells_them_too(world: World) -> None:
    await world.channel(name="Inbox", config=InAppInput())
    await world.channel(name="Mail", config=EmailInput(to=("Vera@example.com", "somebody@example.com")))
    await world.open()
    await world.send()
    steps = await told(world)
    assert sorted(reason.split(")")[0] for _, reason in steps) == [
        "device.offline by channel Inbox (vera",
        "device.offline by channel Mail (V…@example.com",
    ]


async def test_who_has_no_channel_is_told_so(world: World) -> None:
    await world.channel(name="Pager")
    await world.open()
    await world.send()
    assert await the_one(world) == (
        "NOT_TOLD",
        "no channel of their own, and no shared channel names them, as of 2026-11-21 06:00:00 UTC",
    )


async def test_whose_channels_are_all_off_is_told_so(world: World) -> None:
    await own(world)
    await world.context.mongo.database["channels"].update_many({"owner_id": "vera"}, {"$set": {"enabled": False}})
    await world.open()
    assert (await the_one(world))[1].startswith("each of their own channels is off")


async def test_a_channel_that_came_later_tells_nothing_of_before(world: World) -> None:
    await world.open()
    world.clock.advance(60)
    await own(world)
    assert (await the_one(world))[1].startswith("their own channels were made after it opened on 2026-11-21 06:00:00 UTC")


async def test_what_is_told_nobody_is_told_nobody(world: World) -> None:
    await world.open(muted_because="too many of them")
    assert (await the_one(world))[1].startswith("nobody is: muted: too many of them")


async def test_what_is_folded_says_with_what_it_is_told(world: World) -> None:
    await own(world)
    alert = await world.open()
    await world.change(AlertEventType.GROUPED, alert, parent_id="the-parent")
    await world.send()
    assert "was not told: told with alert the-parent, which it is folded under" in (await the_one(world))[1]


async def test_what_waits_for_others_of_its_fate_says_so(world: World) -> None:
    await own(world)
    await world.open(telling_held_until=NOW + timedelta(seconds=30))
    reason = "is held until 2026-11-21 06:00:30 UTC: others seem to share its fate"
    assert reason in (await the_one(world))[1]
    found = await explained(world, user_id=None)
    [step] = [step for step in found["steps"] if step["stage"] == "told"]
    assert "not before 2026-11-21 06:00:30 UTC: others seem to share its fate" in step["reason"]
    assert (at(30), True) in [(one["at"], "unless it is folded until then" in one["what"]) for one in found["next"]]


@pytest.mark.parametrize("stranger", ["otto", "nobody at all", "root"])
async def test_of_who_is_not_in_the_tenant_no_more_is_said_than_that(world: World, stranger: str) -> None:
    await joins(world, outsider)
    await joins(world, root)
    for one in (outsider, root):
        await world.channel(one, name="elsewhere", personal=True, tenant_id="umbrella")
    await world.open()
    await world.send()
    outcome, reason = await the_one(world, owner, stranger)
    assert outcome == "NOT_TOLD"
    assert reason.startswith(f"{stranger} is not a member of tenant acme, whose members alone are told, as of")


async def test_a_viewer_asks_about_nobody_else(world: World) -> None:
    await own(world)
    await world.open()
    for one in (viewer, PROGRAM):
        assert (await refusal(world.context, one, ALERT, id="alert-pos-1", userId="mats"))[0] == "FORBIDDEN"
    assert (await refusal(world.context, PROGRAM, ALERT, id="alert-pos-1", userId="vera"))[0] == "FORBIDDEN"
    assert (await refusal(world.context, outsider, ALERT, id="alert-pos-1", userId="vera"))[0] == "NOT_FOUND"
    assert await told(world, viewer)


async def test_the_record_names_who_was_to_be_told_who_was_and_who_was_not(world: World) -> None:
    await world.channel(name="Pager")
    await world.channel(name="Other", path="/other", config=WebhookInput(url=f"{world.receiver.url}/other", secret=KEY))
    await world.open()
    world.receiver.answers = [404]
    await world.send()
    found = await explained(world, user_id=None)
    steps = [(step["stage"], step["outcome"], step["reason"].split(" on ")[0]) for step in found["steps"]]
    url = world.receiver.url.removesuffix("/hook")
    assert ("told", f"{url}/…, {url}/…", f"to be told: {url}/…, {url}/…,") in steps
    assert ("notified", "fleetbeat", f"told: device.offline to {url}/…,") in steps
    assert ("delivery_dead", "fleetbeat", f"given up: device.offline to {url}/…: answered 404,") in steps


async def test_recipients_of_one_time_are_one_step_of_what_comes_next(world: World) -> None:
    await world.channel(name="Mail", config=EmailInput(to=tuple(f"{name}@example.com" for name in "abcde")))
    await world.open()
    [planned] = [step for step in (await explained(world, user_id=None))["next"] if "goes to" in step["what"]]
    assert planned == {
        "at": at(0),
        "what": "device.offline goes to a…@example.com, b…@example.com, c…@example.com and 2 more",
    }


async def route(world: World, **rule: Any) -> Any:
    """What the last stage says of a till that is hot."""
    fleet = Fleet(world.context, world.clock)
    await fleet.sign()
    await world.context.store.rules.insert(a_rule(cpu_over(90), id="hot", key="hot", **rule))
    await fleet.add("till-1")
    await fleet.beat("till-1", cpu_usage=95)
    return (await ask(world.context, viewer, RULE))["explainRule"]["steps"][-1]


async def test_a_rule_that_fires_says_who_would_be_told(world: World) -> None:
    await world.channel(name="Pager")
    await world.channel(name="Mail", config=EmailInput(to=("a@example.com", "b@example.com")))
    await own(world)
    await world.channel(mate, name="mine", personal=True)
    await prefers(world, quiet_hours=NIGHT)
    step = await route(world)
    assert step["reason"].startswith("opens as HIGH, at 2026-11-21 06:00:00 UTC, and tells ")
    assert step["reason"].endswith(" and 2 people by their own channels (1 of them later, by quiet hours or a digest)")
    assert sorted(step["detail"].pop("channels")) == ["Mail", "Pager"]
    assert step["detail"] == {"severity": "HIGH", "people": 2, "later": 1}


async def test_a_rule_with_channels_of_its_own_tells_those(world: World) -> None:
    await world.channel(name="Pager")
    room = await world.channel(name="Room")
    assert (await route(world, channel_ids=(room.id,)))["reason"].endswith(" UTC, and tells Room")


async def test_a_rule_that_would_reach_nobody_says_why(world: World) -> None:
    await world.channel(name="Pager", severities=(Severity.CRITICAL,))
    assert "and tells nobody: http://127.0.0.1" in (await route(world))["reason"]


async def test_a_rule_that_would_be_muted_tells_nobody(world: World) -> None:
    await world.channel(name="Pager")
    step = await route(world, max_alerts_per_hour=0)
    assert "and nobody is told: 0 alerts in the last hour" in step["reason"]
