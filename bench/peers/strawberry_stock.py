"""Strawberry as its documentation has it, with both caches that it brings: `python -m bench.peers.strawberry_stock PORT [MONGO_URI DATABASE]`."""

import asyncio
import json
import sys
from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any

import strawberry
from motor.motor_asyncio import AsyncIOMotorClient
from pymongo.write_concern import WriteConcern
from strawberry.asgi import GraphQL
from strawberry.extensions import ParserCache, ValidationCache
from strawberry.subscriptions import GRAPHQL_TRANSPORT_WS_PROTOCOL

from bench.peers.serving import serve

_WEEK = timedelta(days=7)
_ARGUMENTS = sys.argv[2:]
_database: Any = None
_listeners: set[asyncio.Queue[dict[str, Any]]] = set()


@strawberry.enum
class DeviceStatus(Enum):
    ONLINE = "online"
    OFFLINE = "offline"
    UNKNOWN = "unknown"


@strawberry.input
class MetricInput:
    name: str
    value: float
    unit: str | None = None


@strawberry.input
class HeartbeatInput:
    device_id: strawberry.ID
    tenant_id: strawberry.ID | None = None
    store_id: strawberry.ID | None = None
    status: str | None = "online"
    sent_at: datetime | None = None
    sequence: int | None = None
    error_rate5m: float | None = None
    request_latency_p95: float | None = None
    sync_lag_sec: float | None = None
    app_version: str | None = None
    memory_usage: float | None = None
    cpu_usage: float | None = None
    disk_usage: float | None = None
    metrics: list[MetricInput] | None = None
    name: str | None = None
    hostname: str | None = None
    kind: str | None = None
    boot_id: strawberry.ID | None = None


@strawberry.type
class HeartbeatAck:
    accepted: bool
    received_at: datetime
    status: DeviceStatus
    next_within_sec: int


@strawberry.type
class HeartbeatBatchAck:
    accepted: int
    received_at: datetime


@strawberry.type
class Device:
    id: strawberry.ID
    device_id: strawberry.ID
    status: DeviceStatus


@strawberry.type
class Viewer:
    id: strawberry.ID
    role: str


@strawberry.type
class Alert:
    id: strawberry.ID
    title: str
    message: str
    severity: str
    status: str
    first_seen: str


@strawberry.type
class AlertEvent:
    id: strawberry.ID
    type: str
    at: str
    alert: Alert


def _document(beat: HeartbeatInput, now: datetime) -> dict[str, Any]:
    return {
        "_id": f"{beat.tenant_id}:{beat.device_id}:{beat.boot_id}:{beat.sequence}:",
        "tenant_id": beat.tenant_id,
        "device_id": beat.device_id,
        "lane": 0,
        "timestamp": now,
        "received_at": now,
        "expire_at": now + _WEEK,
        "store_id": beat.store_id,
        "status": beat.status,
        "sent_at": beat.sent_at,
        "late": False,
        "sequence": beat.sequence,
        "boot_id": beat.boot_id,
        "error_rate_5m": beat.error_rate5m,
        "request_latency_p95": beat.request_latency_p95,
        "sync_lag_sec": beat.sync_lag_sec,
        "app_version": beat.app_version,
        "memory_usage": beat.memory_usage,
        "cpu_usage": beat.cpu_usage,
        "disk_usage": beat.disk_usage,
        "metrics": [],
        "services": [],
    }


def _opened() -> Any:
    """The database, opened on the loop that serves; None where there is none to write to."""
    global _database  # noqa: PLW0603 - as small applications do it
    if _database is None and _ARGUMENTS:
        _database = AsyncIOMotorClient(_ARGUMENTS[0], maxPoolSize=50)[_ARGUMENTS[1]]
    return _database


def _beats() -> Any:
    database = _opened()
    return None if database is None else database.get_collection("device_heartbeats", write_concern=WriteConcern("majority"))


@strawberry.type
class Query:
    @strawberry.field
    async def device(self, device_id: strawberry.ID, tenant_id: strawberry.ID | None = None) -> Device | None:
        key, database = f"{tenant_id}:{device_id}", _opened()
        found = {"status": "unknown"} if database is None else await database["devices"].find_one({"_id": key})
        return None if found is None else Device(id=strawberry.ID(key), device_id=device_id, status=DeviceStatus(found["status"]))

    @strawberry.field
    def viewer(self) -> Viewer:
        return Viewer(id=strawberry.ID("bench"), role="ADMIN")


@strawberry.type
class Mutation:
    @strawberry.mutation
    async def heartbeat(self, input: HeartbeatInput) -> HeartbeatAck:  # noqa: A002
        now = datetime.now(UTC)
        if (beats := _beats()) is not None:
            await beats.insert_one(_document(input, now))
        return HeartbeatAck(accepted=True, received_at=now, status=DeviceStatus.ONLINE, next_within_sec=60)

    @strawberry.mutation
    async def heartbeats(self, inputs: list[HeartbeatInput]) -> HeartbeatBatchAck:
        now = datetime.now(UTC)
        if (beats := _beats()) is not None:
            await beats.insert_many([_document(beat, now) for beat in inputs], ordered=False)
        return HeartbeatBatchAck(accepted=len(inputs), received_at=now)

    @strawberry.mutation
    async def publish(self, event: str) -> bool:
        told = json.loads(event)
        for listener in _listeners:
            listener.put_nowait(told)
        return True


@strawberry.type
class Subscription:
    @strawberry.subscription
    async def alert_events(self) -> AsyncGenerator[AlertEvent, None]:
        listener: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        _listeners.add(listener)
        try:
            while True:
                told = await listener.get()
                alert = told["alert"]
                yield AlertEvent(
                    id=told["id"],
                    type=told["type"],
                    at=told["at"],
                    alert=Alert(
                        id=alert["id"],
                        title=alert["title"],
                        message=alert["message"],
                        severity=alert["severity"],
                        status=alert["status"],
                        first_seen=alert["firstSeen"],
                    ),
                )
        finally:
            _listeners.discard(listener)


if __name__ == "__main__":
    schema = strawberry.Schema(Query, Mutation, Subscription, extensions=[ParserCache, ValidationCache])
    application: Any = GraphQL(schema, subscription_protocols=(GRAPHQL_TRANSPORT_WS_PROTOCOL,))
    serve(application, int(sys.argv[1]))
