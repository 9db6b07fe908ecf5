"""Events for subscribers: written as a worker writes them, or handed to a peer by its mutation."""

import json
import time
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from typing import Any, NamedTuple, Protocol, TypeVar

import aiohttp
import msgspec

from app.context import Context
from app.domain.alert import SEVERITY_RANK, Alert, AlertEventType, AlertStatus, Change, Severity
from app.domain.ids import dedup_key, lane_of
from app.domain.subject import SubjectKind
from app.store.mongo import Mongo, Session
from app.transitions import Writes, transact
from bench.load.sockets import MARK

Result = TypeVar("Result")
TITLE = "CPU usage of till 17 is high"
MESSAGE = "cpuUsage was 97.2 % over 5 min, more than 90 %; it recovers at 80 %"


class Published(NamedTuple):
    """By the monotonic clock: when somebody began to make an event, and when it was there to be told."""

    began: float
    there: float


class Publisher(Protocol):
    """Makes events with these numbers, all at once."""

    async def __call__(self, numbers: Sequence[int]) -> Published: ...


class _Watched(Mongo):
    """Notes when a transaction was committed."""

    def __init__(self, mongo: Mongo) -> None:
        super().__init__(mongo._client, mongo.database)
        self.committed = 0.0

    async def transaction(self, work: Callable[[Session], Coroutine[Any, Any, Result]]) -> Result:
        result = await super().transaction(work)
        self.committed = time.monotonic()
        return result


def by_record(context: Context, tenant_id: str) -> Publisher:
    """Alerts that open, in one transaction of the tenant's lane, as a tick writes them."""
    mongo = _Watched(context.mongo)
    watched = replace(context, mongo=mongo)

    async def publish(numbers: Sequence[int]) -> Published:
        began = time.monotonic()

        async def work(_: Session) -> Writes:
            now = watched.clock.now()
            alerts = [_alert(watched, tenant_id, number) for number in numbers]
            return Writes([Change(type=AlertEventType.OPENED, at=now, before=None, after=alert) for alert in alerts])

        await transact(watched, lane_of(tenant_id), work)
        return Published(began, mongo.committed)

    return publish


def by_mutation(port: int, session: aiohttp.ClientSession) -> Publisher:
    """One call for each event, to a peer that keeps nothing: its events are there once it is asked."""
    url = f"http://127.0.0.1:{port}/graphql"

    async def publish(numbers: Sequence[int]) -> Published:
        began = time.monotonic()
        for number in numbers:
            body = {"query": "mutation($event: String!) { publish(event: $event) }", "variables": {"event": _event(number)}}
            async with session.post(url, json=body) as answer:
                said = msgspec.json.decode(await answer.read())
            if said.get("errors"):
                raise RuntimeError(said["errors"][0]["message"])
        return Published(began, began)

    return publish


def _name(number: int) -> str:
    return f"{MARK.decode()}{number:06}"


def _alert(context: Context, tenant_id: str, number: int) -> Alert:
    now, name = context.clock.now(), _name(number)
    return Alert(
        id=f"{name}-{time.monotonic_ns()}",
        tenant_id=tenant_id,
        rule_key="bench",
        dedup_key=dedup_key("bench", SubjectKind.DEVICE.value, f"{name}-{time.monotonic_ns()}"),
        subject_kind=SubjectKind.DEVICE,
        subject_id=name,
        severity=Severity.LOW,
        severity_rank=SEVERITY_RANK[Severity.LOW],
        status=AlertStatus.OPEN,
        live=True,
        title=TITLE,
        message=MESSAGE,
        first_seen=now,
        last_seen=now,
        source="bench",  # what no rule opened, no rule ends
    )


def _event(number: int) -> str:
    at = "2026-11-21T12:00:00.000Z"
    alert = {
        "id": f"{_name(number)}-{time.monotonic_ns()}",
        "title": TITLE,
        "message": MESSAGE,
        "severity": "LOW",
        "status": "OPEN",
        "firstSeen": at,
    }
    return json.dumps({"id": f"0:{number}", "type": "OPENED", "at": at, "alert": alert})
