"""Two applications over databases of their own, alike but for one thing: one compiles, the other never does."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import msgspec
from starlette.types import Message

from app.clock import ManualClock
from app.context import Context
from app.devices import register_device
from app.domain.device_input import DevicePatch
from app.domain.ids import device_key
from app.domain.operational_event import OperationalEvent
from app.principal import ANONYMOUS, Principal, PrincipalKind
from app.realtime.arrived_beat import ArrivedBeat
from app.realtime.event_intake import EventIntake
from app.realtime.hub import Hub
from app.realtime.intake import Intake
from app.store.connectivity import SeenDevice
from app.tenant_changes import TenantPatch, update_tenant_config
from schema.alerts import alert
from schema.asgi import FleetbeatGraphQL, graphql_app
from schema.build import build_schema
from schema.context import OperationContext
from schema.transport import Seams
from tests.cast import NOW, both, mate, open_test_context, outsider, owner, root, viewer

DEVICES = ("till-1", "till-2")


def _of_device(device_id: str) -> Principal:
    key = device_key("acme", device_id)
    return Principal(PrincipalKind.DEVICE, key, None, frozenset(("acme",)), frozenset((key,)))


CALLERS = {one.id: one for one in (owner, mate, viewer, outsider, both, root, ANONYMOUS, *map(_of_device, DEVICES))}
"""Whoever calls, by the Authorization that these applications take."""

Taken = list[Any]


class RecordingIntake(Intake):
    """The intake, and what it was given."""

    taken: Taken

    async def take(self, arrived: Sequence[ArrivedBeat]) -> dict[str, SeenDevice]:
        self.taken += [msgspec.structs.asdict(one) | {"beat": _without_chance(one.beat)} for one in arrived]
        return await super().take(arrived)


class RecordingEventIntake(EventIntake):
    """The intake of events, and what it was given."""

    taken: Taken

    async def take(self, events: Sequence[OperationalEvent]) -> None:
        self.taken += [_without_chance(event) for event in events]
        await super().take(events)


def _without_chance(kept: msgspec.Struct) -> dict[str, Any]:
    """Where the caller gives nothing to tell a repetition by, the end of an id is chance."""
    fields = msgspec.structs.asdict(kept)
    marked = fields.get("sequence") is not None or fields.get("sent_at") is not None or fields.get("reference") is not None
    return fields if marked else fields | {"id": None}


@dataclass
class Twin:
    """One of the two."""

    context: Context
    graphql: FleetbeatGraphQL
    taken: Taken = field(default_factory=list)

    async def post(self, body: bytes, caller: str = "olga", **headers: str) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
        """Status, headers and body of the answer, as they are sent."""
        said = {"content_type": "application/json", "authorization": caller, **headers}
        raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in said.items()]
        scope = {
            "type": "http", "method": "POST", "path": "/graphql", "query_string": b"", "headers": raw, "client": ("192.0.2.7", 1),
        }  # fmt: skip
        sent: list[Message] = []

        async def receive() -> Message:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Message) -> None:
            sent.append(message)

        await self.graphql(scope, receive, send)
        start, content = sent
        return start["status"], start["headers"], content["body"]

    @property
    def served(self) -> int:
        """How many calls took a plan."""
        return 0 if self.graphql.compiled is None else self.graphql.compiled.served


@asynccontextmanager
async def twin(mongo_uri: str, redis_url: str, database: str, *, compiles: bool) -> AsyncIterator[Twin]:
    async with open_test_context(mongo_uri, redis_url, database, ManualClock(NOW), device_auth="off") as opened:
        intake = RecordingIntake(opened.store, opened.bus, opened.clock)
        events = RecordingEventIntake(opened.mongo, opened.store, opened.clock)
        context = replace(opened, intake=intake, event_intake=events)
        for device_id in DEVICES:
            await register_device(context, owner, DevicePatch(device_id=device_id))
        await update_tenant_config(context, outsider, "umbrella", TenantPatch(device_auth=False))
        made = Twin(context, _app(context, compiles))
        intake.taken = events.taken = made.taken
        yield made
        await intake.drain()
        await events.drain()


def _app(context: Context, compiles: bool) -> FleetbeatGraphQL:
    hub = Hub(context)

    async def who(authorization: str | None, _: str | None) -> Principal:
        return CALLERS[authorization or ANONYMOUS.id]

    def now() -> datetime:
        return context.clock.now()

    seams = Seams(
        authenticate=who,
        make_context=lambda principal: OperationContext(context, principal, hub, alert),
        now=now,
        context=context if compiles else None,
    )
    return graphql_app(build_schema(), seams)
