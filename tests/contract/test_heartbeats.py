"""What PROTOCOL.md says of heartbeats."""

from datetime import timedelta
from typing import Any

import pytest

from app.context import Context
from app.domain.tenant import only
from app.principal import Principal, PrincipalKind
from tests.cast import NOW, mate, owner, viewer
from tests.flows.documents import BEAT, BEATS, REGISTER
from tests.wire import ask, refusal

TILL = Principal(PrincipalKind.DEVICE, "acme:till-1", None, frozenset({"acme"}), frozenset({"acme:till-1"}))
OTHER = "mutation($input: HeartbeatInput!) { heartbeat(input: $input) { accepted } }"


async def _beat(context: Context, **values: Any) -> Any:
    return (await ask(context, TILL, BEAT, input={"deviceId": "till-1", **values}))["heartbeat"]


async def _stored(context: Context) -> int:
    return len(await context.store.heartbeats.history(only("acme"), "acme", "till-1", None, None, 100))


@pytest.fixture(autouse=True)
async def registered(context: Context) -> None:
    await ask(context, owner, REGISTER, input={"deviceId": "till-1", "offlineAfterSec": 40})


async def test_the_next_beat_is_due_within_half_of_the_offline_time(context: Context) -> None:
    assert (await _beat(context))["nextWithinSec"] == 20


@pytest.mark.parametrize("again", [{"sentAt": NOW.isoformat()}, {"bootId": "b1", "sequence": 7}, {"sequence": 7}])
async def test_a_beat_that_is_sent_again_is_stored_once(context: Context, again: dict[str, Any]) -> None:
    for _ in range(2):
        assert (await _beat(context, **again))["accepted"] is True
    assert await _stored(context) == 1


async def test_a_count_that_starts_anew_after_a_restart_is_told_by_its_boot_id(context: Context) -> None:
    for boot_id in ("b1", "b2"):
        await _beat(context, bootId=boot_id, sequence=1)
    assert await _stored(context) == 2


async def test_beats_without_any_count_are_each_stored(context: Context) -> None:
    await _beat(context)
    await _beat(context)
    assert await _stored(context) == 2


@pytest.mark.parametrize(
    ("off", "late"), [(timedelta(minutes=5), False), (-timedelta(seconds=30), False), (-timedelta(seconds=31), True)]
)
async def test_a_late_beat_takes_its_place_in_history_and_shows_that_the_device_is_there(
    context: Context, off: timedelta, late: bool
) -> None:
    assert (await _beat(context, sentAt=(NOW + off).isoformat()))["status"] == "ONLINE"
    [beat] = await context.store.heartbeats.history(only("acme"), "acme", "till-1", None, None, 1)
    assert (beat.late, beat.timestamp, beat.received_at) == (late, NOW + off if late else NOW, NOW)


@pytest.mark.parametrize("off", [timedelta(minutes=5, milliseconds=1), -timedelta(days=30, milliseconds=1)])
async def test_a_clock_that_is_too_far_off_is_refused(context: Context, off: timedelta) -> None:
    sent = {"deviceId": "till-1", "sentAt": (NOW + off).isoformat()}
    assert await refusal(context, TILL, BEAT, input=sent) == ("BAD_USER_INPUT", ["input.sentAt"])
    assert await _stored(context) == 0


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("cpuUsage", 100.1),
        ("memoryUsage", -1),
        ("diskUsage", 101),
        ("errorRate5m", 1.01),
        ("requestLatencyP95", -1),
        ("syncLagSec", -1),
    ],
)
async def test_a_gauge_outside_its_unit_is_refused(context: Context, name: str, value: float) -> None:
    assert await refusal(context, TILL, BEAT, input={"deviceId": "till-1", name: value}) == ("BAD_USER_INPUT", [f"input.{name}"])


async def test_a_hundred_metrics_are_the_most_and_each_has_its_own_name(context: Context) -> None:
    metrics = [{"name": f"m{number}", "value": 1} for number in range(101)]
    await _beat(context, metrics=metrics[:100])
    for wrong in (metrics, [metrics[0], metrics[0]]):
        sent = {"deviceId": "till-1", "metrics": wrong}
        assert await refusal(context, TILL, BEAT, input=sent) == ("BAD_USER_INPUT", ["input.metrics"])


async def test_the_good_of_many_are_stored_and_the_bad_are_named(context: Context) -> None:
    sent = [{"deviceId": "till-1"}, {"deviceId": "till-1", "cpuUsage": 101}, {"deviceId": "nobody"}]
    answered = (await ask(context, mate, BEATS, inputs=sent))["heartbeats"]
    assert answered["accepted"] == 1
    assert [(bad["index"], bad["deviceId"], bad["code"]) for bad in answered["rejected"]] == [
        (1, "till-1", "BAD_USER_INPUT"),
        (2, "nobody", "NOT_FOUND"),
    ]
    assert await _stored(context) == 1


async def test_a_thousand_beats_are_the_most_at_once(context: Context) -> None:
    sent = [{"deviceId": "till-1", "bootId": "b", "sequence": number} for number in range(1_001)]
    assert await refusal(context, TILL, BEATS, inputs=sent) == ("BAD_USER_INPUT", ["inputs"])
    assert (await ask(context, TILL, BEATS, inputs=sent[1:]))["heartbeats"]["accepted"] == 1_000


async def test_an_admins_beat_registers_its_device_and_an_operators_does_not(context: Context) -> None:
    assert await refusal(context, mate, OTHER, input={"deviceId": "till-2"}) == ("NOT_FOUND", [])
    await ask(context, owner, OTHER, input={"deviceId": "till-2"})
    await ask(context, mate, OTHER, input={"deviceId": "till-2"})


async def test_a_viewer_and_another_device_may_not_beat(context: Context) -> None:
    assert await refusal(context, viewer, OTHER, input={"deviceId": "till-1"}) == ("FORBIDDEN", [])
    assert await refusal(context, TILL, OTHER, input={"deviceId": "till-2"}) == ("FORBIDDEN", [])


async def test_a_device_reads_itself_and_nothing_else(context: Context) -> None:
    own = "query($id: ID!) { device(deviceId: $id) { deviceId } }"
    assert (await ask(context, TILL, own, id="till-1"))["device"] == {"deviceId": "till-1"}
    await ask(context, owner, OTHER, input={"deviceId": "till-2"})
    assert await refusal(context, TILL, own, id="till-2") == ("FORBIDDEN", [])
    for query in ("{ alerts { totalCount } }", "{ devices { totalCount } }", "{ overview { at } }"):
        assert await refusal(context, TILL, query) == ("FORBIDDEN", [])
