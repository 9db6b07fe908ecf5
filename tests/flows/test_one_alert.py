"""One beat, one alert, end to end: over the wire, through processes of their own."""

import asyncio
from collections.abc import Callable
from datetime import datetime

import pytest

from app.domain.tenant import Role
from tests.flows.client import RefusedError
from tests.flows.documents import ACKNOWLEDGE, BEAT, BEATS, CREATE_TENANT, DEVICE, EVENTS, REGISTER
from tests.flows.installation import Installation


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


async def test_a_device_goes_silent_is_acknowledged_and_comes_back(
    installation: Installation, figure: Callable[[str], None]
) -> None:
    root = installation.person()
    await root.ask(CREATE_TENANT, id="acme", name="Acme")
    admin = installation.person(Role.ADMIN, "acme", name="olga")
    token = (await admin.ask(REGISTER, input={"deviceId": "till-1", "name": "Till 1"}))["registerDevice"]["token"]
    device = installation.device(token)
    async with installation.person(Role.VIEWER, "acme").subscribe(EVENTS) as stream:
        beat = (await device.ask(BEAT, input={"deviceId": "till-1"}))["heartbeat"]
        assert (beat["accepted"], beat["status"], beat["nextWithinSec"]) == (True, "ONLINE", 2)
        opened = (await stream.next())["alertEvents"]
        assert (opened["type"], opened["alert"]["ruleKey"], opened["alert"]["severity"]) == ("OPENED", "device_offline", "HIGH")
        late = (moment(opened["at"]) - moment(beat["receivedAt"])).total_seconds() - 5
        figure(f"opened {late:.2f} s after the deadline")
        assert late < 3
        shown = (await admin.ask(DEVICE, deviceId="till-1"))["device"]
        assert (shown["status"], shown["health"], len(shown["openAlerts"])) == ("OFFLINE", "UNHEALTHY", 1)

        acknowledged = (await admin.ask(ACKNOWLEDGE, id=opened["alert"]["id"], version=1))["acknowledgeAlert"]
        assert acknowledged == {"status": "ACKNOWLEDGED", "acknowledgedBy": "olga", "version": 2}
        assert (await stream.next())["alertEvents"]["type"] == "ACKNOWLEDGED"

        back = (await device.ask(BEAT, input={"deviceId": "till-1"}))["heartbeat"]
        resolved = (await stream.next())["alertEvents"]
        assert (resolved["type"], resolved["alert"]["resolution"]) == ("RESOLVED", "RECOVERED")
        took = (moment(resolved["at"]) - moment(back["receivedAt"])).total_seconds()
        figure(f"resolved {took:.2f} s after the beat")
        assert took < 2
        assert (await admin.ask(DEVICE, deviceId="till-1"))["device"]["status"] == "ONLINE"


async def test_a_subscriber_that_was_cut_off_has_every_event_between_once(installation: Installation) -> None:
    root = installation.person()
    await root.ask(CREATE_TENANT, id="acme", name="Acme")
    names = [f"till-{number}" for number in range(20)]
    await root.ask(BEATS, inputs=[{"tenantId": "acme", "deviceId": name} for name in names])
    async with root.subscribe(EVENTS) as stream:
        first = [one["alertEvents"] for one in await stream.take(5)]
    async with root.subscribe(EVENTS) as witness:
        # Nobody but the witness hears these.
        await root.ask(BEATS, inputs=[{"tenantId": "acme", "deviceId": name} for name in names])
        resolved: set[str] = set()
        while len(resolved) < 20:
            event = (await witness.next())["alertEvents"]
            resolved |= {event["alert"]["subjectId"]} if event["type"] == "RESOLVED" else set()
    async with root.subscribe(EVENTS, after=first[-1]["cursor"]) as stream:
        rest = [one["alertEvents"] for one in await stream.take(35)]
    heard = [(event["alert"]["subjectId"], event["type"]) for event in (*first, *rest)]
    assert sorted(heard) == sorted((name, kind) for name in names for kind in ("OPENED", "RESOLVED"))
    assert all(heard.index((name, "OPENED")) < heard.index((name, "RESOLVED")) for name in names)


async def test_an_expired_token_closes_the_socket_with_4403(installation: Installation) -> None:
    await installation.person().ask(CREATE_TENANT, id="acme", name="Acme")
    async with installation.person(Role.VIEWER, "acme", ttl=2).subscribe(EVENTS) as stream:
        async with asyncio.timeout(10):
            await stream.socket.wait_closed()
        assert (stream.socket.close_code, stream.socket.close_reason) == (4403, "Token expired")


async def test_a_stopped_api_sends_its_subscribers_away_with_1012(installation: Installation) -> None:
    assert installation.api is not None
    async with installation.person().subscribe(EVENTS) as stream:
        installation.api.terminate()
        async with asyncio.timeout(10):
            await stream.socket.wait_closed()
        assert stream.socket.close_code == 1012
    # uvicorn hands the signal on once it has cleaned up.
    assert await asyncio.to_thread(installation.api.wait, 15) in (0, -15)


async def test_what_a_caller_may_not_do_is_said(installation: Installation) -> None:
    await installation.person().ask(CREATE_TENANT, id="acme", name="Acme")
    viewer = installation.person(Role.VIEWER, "acme")
    with pytest.raises(RefusedError) as refused:
        await viewer.ask(REGISTER, input={"deviceId": "till-1"})
    assert refused.value.codes == ["FORBIDDEN"]
