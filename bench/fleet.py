"""Devices to beat with, and what they say."""

import asyncio
import json
import random
from datetime import timedelta

from app.context import Context
from app.domain.device import Device, DeviceStatus, DeviceToken
from app.domain.ids import device_key, lane_of
from app.domain.tenant import Tenant
from app.tokens import DEVICE, new_token
from bench.load.http import COUNTER, Call

BEAT = "mutation Beat($input: HeartbeatInput!) { heartbeat(input: $input) { accepted status nextWithinSec } }"
BEATS = "mutation Beats($inputs: [HeartbeatInput!]!) { heartbeats(inputs: $inputs) { accepted } }"
VERSION = "4.2.0"
_AT_ONCE = 1_000


async def add_tenant(context: Context, tenant_id: str) -> None:
    await context.store.tenants.insert(Tenant(id=tenant_id, name=tenant_id, created_at=context.clock.now()))


async def add_devices(
    context: Context, tenant_id: str, count: int, offline_after: int = 120, *, beaten: bool = False
) -> dict[str, str]:
    """Devices that never beat yet, or did a moment ago: id -> what they sign in with."""
    tokens = {f"device-{number:06}": new_token(DEVICE) for number in range(count)}
    now = context.clock.now()
    devices = [
        Device(
            id=device_key(tenant_id, device_id),
            tenant_id=tenant_id,
            device_id=device_id,
            lane=lane_of(tenant_id),
            status=DeviceStatus.ONLINE if beaten else DeviceStatus.UNKNOWN,
            since=now,
            created_at=now,
            first_seen=now if beaten else None,
            last_seen=now if beaten else None,
            due_at=now + timedelta(seconds=offline_after) if beaten else None,
            store_id=_store_of(device_id) if beaten else None,
            app_version=VERSION if beaten else None,
            offline_after=offline_after,
            wake_after=offline_after,
            own_offline_after=offline_after,
            tokens=(DeviceToken(id=token.id, token_hash=token.token_hash, created_at=now),),
        )
        for device_id, token in tokens.items()
    ]
    for start in range(0, count, _AT_ONCE):
        await asyncio.gather(*(context.store.devices.insert(device) for device in devices[start : start + _AT_ONCE]))
    return {device_id: f"Device {token.token}" for device_id, token in tokens.items()}


def _store_of(device_id: str) -> str:
    return f"store-{device_id[-2:]}"


def beat_input(tenant_id: str, device_id: str, sequence: int, chance: random.Random) -> dict[str, object]:
    """Twelve fields, as a till sends them."""
    return {
        "tenantId": tenant_id,
        "deviceId": device_id,
        "storeId": _store_of(device_id),
        "sequence": sequence,
        "bootId": "bench",
        "errorRate5m": round(chance.uniform(0, 0.02), 4),
        "requestLatencyP95": round(chance.uniform(50, 400), 1),
        "syncLagSec": round(chance.uniform(0, 30), 1),
        "appVersion": VERSION,
        "memoryUsage": round(chance.uniform(20, 70), 1),
        "cpuUsage": round(chance.uniform(5, 60), 1),
        "diskUsage": round(chance.uniform(10, 60), 1),
    }


def beat_calls(tenant_id: str, devices: dict[str, str]) -> list[Call]:
    """A call for each device; its sequence is the call's own number."""
    chance = random.Random(2026)
    return [
        Call(body(BEAT, {"input": beat_input(tenant_id, device_id, int(COUNTER), chance)}), authorization)
        for device_id, authorization in devices.items()
    ]


def batch_calls(tenant_id: str, device_ids: list[str], size: int, authorization: str) -> list[Call]:
    """Calls of `size` beats, each of another device; all of a call have the call's number as their sequence."""
    chance = random.Random(2026)
    return [
        Call(
            body(
                BEATS, {"inputs": [beat_input(tenant_id, one, int(COUNTER), chance) for one in device_ids[start : start + size]]}
            ),
            authorization,
        )
        for start in range(0, len(device_ids), size)
    ]


def body(query: str, variables: dict[str, object]) -> str:
    return json.dumps({"query": query, "variables": variables}, separators=(",", ":"))
