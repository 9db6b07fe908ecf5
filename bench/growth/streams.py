"""Subscribers that outlive the API process they are on: they go on at the next one, from the cursor they had."""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import aiohttp
import msgspec

EVENTS = """subscription Events($after: Cursor) {
  alertEvents(after: $after) { id cursor type alert { ruleKey subjectId subjectKind } }
}"""
HEALTH = "subscription { healthUpdates(filter: {snapshot: false}) { ... on DeviceHealthUpdate { device { deviceId } } } }"
_AGAIN_SEC = 0.2
_ACK_SEC = 5.0


class Event(msgspec.Struct, frozen=True):
    """What a subscriber was told: of which alert, and its place in the record (`id` is lane and sequence)."""

    id: str
    type: str
    rule_key: str
    subject_id: str


class EventStream:
    """Every event that one subscriber was told, in the order in which they came, however often it had to connect."""

    def __init__(self, ports: Sequence[int], authorization: str, cursor: str) -> None:
        self.events: list[Event] = []
        self.resyncs = 0
        self.connections = 0
        self._ports = ports
        self._authorization = authorization
        self._cursor = cursor
        self._came = asyncio.Condition()

    async def run(self) -> None:
        """Until cancelled."""
        async with aiohttp.ClientSession() as session:
            for port in itertools.cycle(self._ports):
                with contextlib.suppress(aiohttp.ClientError, TimeoutError):
                    async for data in _data(session, port, self._authorization, EVENTS, after=self._cursor):
                        await self._note(data["alertEvents"])
                await asyncio.sleep(_AGAIN_SEC)

    async def until(self, complete: Callable[[Sequence[Event]], bool], patience: float) -> None:
        """Until what came is complete. Raises TimeoutError."""
        async with asyncio.timeout(patience), self._came:
            await self._came.wait_for(lambda: complete(self.events))

    async def _note(self, said: dict[str, Any]) -> None:
        self._cursor = said["cursor"]
        async with self._came:
            if said["type"] == "RESYNC":
                self.resyncs += 1
            elif said["alert"] is not None:
                self.events.append(Event(said["id"], said["type"], said["alert"]["ruleKey"], said["alert"]["subjectId"]))
            self._came.notify_all()


class HealthStream:
    """When a subscriber of one API last heard of each device, by the event loop's time."""

    def __init__(self, port: int, authorization: str) -> None:
        self.heard: dict[str, float] = {}
        self.live = asyncio.Event()
        self._port = port
        self._authorization = authorization
        self._came = asyncio.Condition()

    async def run(self) -> None:
        async with aiohttp.ClientSession() as session:
            async for data in _data(session, self._port, self._authorization, HEALTH, live=self.live):
                async with self._came:
                    self.heard[data["healthUpdates"]["device"]["deviceId"]] = asyncio.get_running_loop().time()
                    self._came.notify_all()

    async def until_heard(self, device_id: str, since: float, patience: float) -> float:
        """When it heard of the device after `since`."""
        async with asyncio.timeout(patience), self._came:
            await self._came.wait_for(lambda: self.heard.get(device_id, 0.0) > since)
            return self.heard[device_id]


async def _data(
    session: aiohttp.ClientSession,
    port: int,
    authorization: str,
    query: str,
    live: asyncio.Event | None = None,
    **variables: object,
) -> AsyncIterator[dict[str, Any]]:
    """What a subscription says, until its socket ends; `live` is set once nothing more can be missed."""
    async with session.ws_connect(f"http://127.0.0.1:{port}/graphql", protocols=["graphql-transport-ws"]) as socket:
        await socket.send_json({"type": "connection_init", "payload": {"authorization": authorization}})
        await socket.receive_json(timeout=_ACK_SEC)
        await socket.send_json({"type": "subscribe", "id": "1", "payload": {"query": query, "variables": variables}})
        # The answer to a ping comes behind the subscription.
        await socket.send_json({"type": "ping"})
        async for message in socket:
            if message.type is not aiohttp.WSMsgType.TEXT:
                return
            said = msgspec.json.decode(message.data)
            if said["type"] == "pong" and live is not None:
                live.set()
            if said["type"] == "next":
                yield said["payload"]["data"]
            elif said["type"] in ("error", "complete"):
                return
