"""From an alert to a receiver: what arrives, what is tried again, and what is not."""

import asyncio
import json
from datetime import timedelta
from email.utils import format_datetime

import pytest

from app.channel_testing import try_channel
from app.channels.http import open_http
from app.channels.ways import open_ways
from app.courier import OF_ONE_CHANNEL, Courier
from app.domain.alert import Resolution
from app.domain.delivery import LEASE, MOST_ATTEMPTS, DeliveryStatus, TryAgain
from app.domain.device import Device, DeviceStatus
from app.domain.ids import device_key, lane_of
from jobs.queue import Queue
from jobs.ticks import run_tick, ticks_of
from tests.cast import NOW, outsider, owner
from tests.delivery.world import World
from tests.jobs.queue import work_off


async def add_device(world: World) -> None:
    device = Device(
        id=device_key("acme", "pos-1"),
        tenant_id="acme",
        device_id="pos-1",
        lane=lane_of("acme"),
        status=DeviceStatus.OFFLINE,
        since=NOW,
        created_at=NOW,
        offline_after=120,
        wake_after=120,
        name="Till 1",
        hostname="till-1.local",
        description="by the door",
        last_seen=NOW - timedelta(seconds=130),
    )
    await world.context.store.devices.insert(device)


async def test_a_device_that_falls_silent_is_told_once_and_so_is_its_return(world: World) -> None:
    await add_device(world)
    await world.channel()
    alert = await world.open()
    assert await world.send() == 1
    await world.end(alert)
    for _ in range(3):
        await world.send()
    offline, online = (call.said for call in world.receiver.calls)
    assert offline["event"] == "device.offline"
    assert offline["device"] == {
        "id": "pos-1",
        "name": "Till 1",
        "hostname": "till-1.local",
        "description": "by the door",
        "status": "offline",
        "last_seen": "2026-11-21T05:57:50.000Z",
    }
    assert (offline["alert"]["id"], offline["alert"]["status"], offline["alert"]["severity"]) == (alert.id, "open", "high")
    assert (online["event"], online["device"]["status"], online["alert"]["status"]) == ("device.online", "online", "resolved")
    assert await world.states() == ["SENT", "SENT"]
    assert await world.timeline(alert) == ["OPENED", "NOTIFIED", "RESOLVED", "NOTIFIED"]


async def test_a_person_who_resolves_brings_no_device_back(world: World) -> None:
    await world.channel()
    alert = await world.open()
    await world.end(alert, Resolution.MANUAL, "olga")
    await world.send()
    assert world.receiver.events() == ["device.offline", "alert.resolved"]


async def test_what_is_no_silence_is_an_alert(world: World) -> None:
    await world.channel()
    await world.end(await world.open(rule_key="cpu_high"))
    await world.send()
    assert world.receiver.events() == ["alert.opened", "alert.resolved"]


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
async def test_any_success_is_sent(world: World, status: int) -> None:
    await world.channel()
    await world.open()
    world.receiver.answers = [status]
    await world.send()
    assert (await world.only_one()).status is DeliveryStatus.SENT


@pytest.mark.parametrize("answer", [408, 425, 429, 500, 502, 503, 504, 599, "reset"])
async def test_what_may_pass_is_tried_again_under_the_same_key(world: World, answer: int | str) -> None:
    channel = await world.channel()
    await world.open()
    world.receiver.answers = [answer]
    await world.send()
    waiting = await world.only_one()
    assert (waiting.status, waiting.attempts) == (DeliveryStatus.PENDING, 1)
    assert waiting.error == ("the connection was cut before an answer" if answer == "reset" else f"answered {answer}")
    found = await world.context.store.channels.get(owner.scope, channel.id)
    assert found is not None
    assert found.last_error == waiting.error
    await world.send(3)
    sent = await world.only_one()
    assert (sent.status, sent.attempts, sent.error) == (DeliveryStatus.SENT, 2, None)
    keys = {call.headers["Idempotency-Key"] for call in world.receiver.calls}
    assert keys == {sent.id}


@pytest.mark.parametrize("status", [300, 301, 302, 303, 307, 308, 400, 401, 403, 404, 405, 410, 413, 422, 451])
async def test_what_would_fail_again_is_dead_at_once(world: World, status: int) -> None:
    await world.channel()
    alert = await world.open()
    world.receiver.answers = [status]
    world.receiver.headers = {"Location": world.receiver.url + "/elsewhere"}
    await world.send()
    dead = await world.only_one()
    assert (dead.status, dead.attempts) == (DeliveryStatus.DEAD, 1)
    assert f"answered {status}" in (dead.error or "")
    assert len(world.receiver.calls) == 1
    assert await world.timeline(alert) == ["OPENED", "DELIVERY_DEAD"]


async def test_half_an_answer_of_success_is_a_success(world: World) -> None:
    await world.channel()
    await world.open()
    world.receiver.answers = ["half"]
    await world.send()
    assert await world.states() == ["SENT"]


async def test_who_does_not_answer_in_time_is_tried_again(world: World) -> None:
    world.receiver.answers = ["hang"]
    async with open_http(checked=False, timeout_sec=0.2) as http:
        outcome = await http.post(world.receiver.url, NOW, data=b"{}")
    assert isinstance(outcome, TryAgain)
    assert "no answer within" in outcome.error


async def test_nobody_listening_is_tried_again(world: World) -> None:
    async with open_http(checked=False) as http:
        assert await http.post("http://127.0.0.1:9/", NOW, data=b"{}") == TryAgain("no connection")


@pytest.mark.parametrize("wish", ["120", format_datetime(NOW + timedelta(seconds=120), usegmt=True)])
async def test_retry_after_is_honoured(world: World, wish: str) -> None:
    await world.channel()
    await world.open()
    world.receiver.answers, world.receiver.headers = [429], {"Retry-After": wish}
    await world.send()
    assert (await world.only_one()).next_attempt_at == NOW + timedelta(seconds=120)
    assert await world.send(119) == 0
    assert await world.send(1) == 1


async def test_after_twelve_tries_in_about_an_hour_it_is_dead(world: World) -> None:
    await world.channel()
    alert = await world.open()
    world.receiver.answers = [503] * 50
    await world.send()
    while (waiting := await world.only_one()).next_attempt_at is not None:
        await world.send((waiting.next_attempt_at - world.clock.now()).total_seconds())
    dead = await world.only_one()
    assert (dead.status, dead.attempts, len(world.receiver.calls)) == (DeliveryStatus.DEAD, MOST_ATTEMPTS, MOST_ATTEMPTS)
    assert timedelta(minutes=40) < world.clock.now() - NOW < timedelta(minutes=70)
    assert await world.timeline(alert) == ["OPENED", "DELIVERY_DEAD"]


async def test_what_a_killed_worker_had_taken_is_sent_under_the_same_key_when_its_lease_ends(world: World) -> None:
    await world.channel()
    await world.open()
    written = await world.only_one()
    taken = await world.context.store.deliveries.claim([written.id], "a worker that is no more", world.clock.now())
    assert len(taken) == 1
    assert await world.send(LEASE.total_seconds() - 1) == 0
    assert await world.send(1) == 1
    sent = await world.only_one()
    assert (sent.status, sent.attempts, sent.id) == (DeliveryStatus.SENT, 2, written.id)
    # The dead one comes back and finds that it is no longer its own.
    assert not await world.context.store.deliveries.settle(taken, ["a worker that is no more"])


async def test_of_many_who_take_a_delivery_one_has_it(world: World) -> None:
    await world.channel()
    await world.open()
    written = await world.only_one()
    claims = [world.context.store.deliveries.claim([written.id], str(number), NOW) for number in range(10)]
    assert sum(len(taken) for taken in await asyncio.gather(*claims)) == 1


async def test_tenants_hear_of_their_own_alone(world: World) -> None:
    await world.channel(owner, "/acme")
    await world.channel(outsider, "/umbrella")
    await world.open(subject_id="pos-1")
    await world.open(subject_id="pos-2", tenant_id="umbrella")
    await world.send()
    heard = sorted((call.path, call.said["alert"]["tenant_id"]) for call in world.receiver.calls)
    assert heard == [("/hook/acme", "acme"), ("/hook/umbrella", "umbrella")]


async def test_a_channel_that_hangs_holds_up_nobody_else(world: World) -> None:
    await world.channel(owner, "/slow")
    for number in range(40):
        await world.open(subject_id=f"pos-{number}")
    world.receiver.answers = ["hang"] * OF_ONE_CHANNEL
    async with open_ways(world.context.settings) as ways:
        courier = Courier(world.context, ways)
        task = asyncio.create_task(courier.work_off())
        await world.receiver.until(OF_ONE_CHANNEL)
        await world.channel(outsider, "/quick")
        await world.channel(owner, "/brisk")
        await world.open(subject_id="other", tenant_id="umbrella")
        await world.open(subject_id="mine")
        courier.wake()
        calls = await world.receiver.until(OF_ONE_CHANNEL + 2)
        assert {call.path for call in calls[OF_ONE_CHANNEL:]} == {"/hook/quick", "/hook/brisk"}
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_nothing_is_written_for_a_tenant_without_channels(world: World) -> None:
    await world.channel(outsider)
    await world.open()
    assert await world.deliveries() == []


async def test_the_tick_sends_what_a_lost_trigger_left(world: World) -> None:
    await world.channel()
    await world.open()
    [tick] = [one for one in ticks_of(world.context.settings) if one.name == "outbox"]
    assert await run_tick(world.context, tick, None)
    assert await world.states() == ["SENT"]


async def test_the_commit_triggers_a_job_that_sends(world: World) -> None:
    queue = Queue(world.context.settings.redis_url)
    world.context.errands.serve_by(queue.put)
    await world.channel()
    await world.open()
    assert await queue.depth() == 1
    await work_off(world.context)
    await queue.close()
    assert await world.states() == ["SENT"]


async def test_a_test_message_goes_the_same_way(world: World) -> None:
    channel = await world.channel()
    made = await try_channel(world.context, owner, channel.id)
    assert made.status is DeliveryStatus.PENDING
    await world.send()
    [call] = world.receiver.calls
    assert json.loads(call.body) == {"event": "channel.test", "alert": None, "device": None}
    sent = await world.only_one()
    assert (sent.id, sent.status, sent.alert_id) == (made.id, DeliveryStatus.SENT, None)
