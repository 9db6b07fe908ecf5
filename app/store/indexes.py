"""Every collection with its indexes and its validator, declared once and ensured at start."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from pymongo import ASCENDING, DESCENDING, IndexModel
from pymongo.errors import OperationFailure

from app.store.mongo import Mongo

_UP, _DOWN = ASCENDING, DESCENDING
_NAMESPACE_EXISTS = 48


def _named(field: str) -> dict[str, Any]:
    """Only where there is a text: an index of what most documents do not have stays small."""
    return {field: {"$gt": ""}}


INDEXES: Mapping[str, list[IndexModel]] = {
    "device_heartbeats": [
        IndexModel([("tenant_id", _UP), ("device_id", _UP), ("timestamp", _DOWN)], name="device_history"),
        IndexModel([("lane", _UP), ("received_at", _UP)], name="changed_feed"),
        IndexModel([("lane", _UP), ("received_at", _UP)], name="late_feed", partialFilterExpression={"late": True}),
        IndexModel([("expire_at", _UP)], name="retention", expireAfterSeconds=0),
    ],
    "heartbeat_rollups": [
        IndexModel(
            [("tenant_id", _UP), ("device_id", _UP), ("resolution", _UP), ("start", _UP)], name="device_history", unique=True
        ),
        IndexModel([("expire_at", _UP)], name="retention", expireAfterSeconds=0),
    ],
    "metrics": [
        IndexModel([("tenant_id", _UP), ("name", _UP)], name="by_name", unique=True),
        IndexModel([("expire_at", _UP)], name="gone", expireAfterSeconds=0),
    ],
    "devices": [
        IndexModel([("lane", _UP), ("due_at", _UP)], name="due"),
        IndexModel([("tenant_id", _UP), ("device_id", _UP)], name="by_id", unique=True),
        IndexModel([("device_id", _UP), ("tenant_id", _UP)], name="in_order"),
        IndexModel([("tenant_id", _UP), ("status", _UP)], name="by_status"),
        IndexModel([("retired_at", _UP), ("tenant_id", _UP), ("status", _UP), ("services_health", _UP)], name="census"),
        IndexModel([("lane", _UP), ("due_at", _UP)], name="missed", partialFilterExpression={"missed": True}),
        IndexModel([("changed_at", _UP)], name="changed"),
        IndexModel([("tokens.id", _UP)], name="by_token", sparse=True),
        IndexModel([("tenant_id", _UP), ("store_id", _UP)], name="by_store", partialFilterExpression=_named("store_id")),
        IndexModel(
            [("kind", _UP), ("tenant_id", _UP), ("device_id", _UP)], name="by_kind", partialFilterExpression=_named("kind")
        ),
        IndexModel([("tenant_id", _UP), ("gateway_id", _UP)], name="by_gateway", partialFilterExpression=_named("gateway_id")),
        IndexModel([("tenant_id", _UP), ("app_version", _UP)], name="by_version", partialFilterExpression=_named("app_version")),
    ],
    "alert_rules": [IndexModel([("tenant_id", _UP), ("key", _UP)], name="by_key", unique=True)],
    "rule_states": [
        IndexModel([("lane", _UP), ("family", _UP), ("next_due", _UP)], name="due"),
        IndexModel([("tenant_id", _UP), ("rule_key", _UP)], name="by_rule"),
        IndexModel([("tenant_id", _UP), ("subject_id", _UP)], name="by_subject"),
        IndexModel([("lane", _UP), ("family", _UP)], name="windowed", partialFilterExpression={"windowed": True}),
    ],
    "provider_alerts": [
        IndexModel(
            [("tenant_id", _UP), ("dedup_key", _UP)],
            name="one_live",
            unique=True,
            partialFilterExpression={"live": True},
        ),
        IndexModel([("tenant_id", _UP), ("dedup_key", _UP), ("last_seen", _UP)], name="troubles"),
        IndexModel([("tenant_id", _UP), ("first_seen", _DOWN), ("_id", _DOWN)], name="newest"),
        IndexModel([("tenant_id", _UP), ("live", _UP), ("subject_id", _UP), ("severity", _UP)], name="live_subjects"),
        IndexModel([("tenant_id", _UP), ("severity_rank", _UP), ("first_seen", _DOWN), ("_id", _DOWN)], name="by_severity"),
        IndexModel([("status", _UP), ("first_seen", _DOWN)], name="by_status"),
        IndexModel([("tenant_id", _UP), ("status", _UP), ("first_seen", _DOWN), ("_id", _DOWN)], name="newest_of_status"),
        IndexModel([("first_seen", _DOWN), ("_id", _DOWN)], name="newest_of_all"),
        IndexModel(
            [("acknowledged_until", _UP)], name="acknowledgement_ends", partialFilterExpression={"status": "acknowledged"}
        ),
        IndexModel([("tenant_id", _UP), ("subject_id", _UP), ("first_seen", _DOWN)], name="history"),
        IndexModel(
            [("tenant_id", _UP), ("parent_id", _UP), ("live", _UP)],
            name="children",
            partialFilterExpression=_named("parent_id"),
        ),
        IndexModel(
            [("tenant_id", _UP), ("dedup_key", _UP), ("live", _DOWN)],
            name="parents",
            partialFilterExpression={"source": "shared_fate"},
        ),
        IndexModel(
            [("tenant_id", _UP), ("telling_held_until", _UP)],
            name="held",
            partialFilterExpression={"telling_held_until": {"$gt": datetime.fromtimestamp(0, UTC)}},
        ),
    ],
    "alert_events": [
        IndexModel([("lane", _UP), ("seq", _UP)], name="lane", unique=True),
        IndexModel([("tenant_id", _UP), ("seq", _UP)], name="tenant"),
        IndexModel([("alert_id", _UP), ("seq", _UP)], name="timeline"),
        IndexModel([("expire_at", _UP)], name="retention", expireAfterSeconds=0),
    ],
    "services": [
        IndexModel([("tenant_id", _UP), ("key", _UP)], name="by_key", unique=True),
        IndexModel([("lane", _UP), ("status", _UP)], name="in_trouble"),
        IndexModel([("lane", _UP), ("changed_at", _UP)], name="changed"),
    ],
    "operational_events": [
        IndexModel([("tenant_id", _UP), ("kind", _UP), ("at", _UP)], name="history"),
        IndexModel([("tenant_id", _UP), ("kind", _UP), ("received_at", _UP), ("_id", _UP)], name="arrivals"),
        IndexModel([("expire_at", _UP)], name="retention", expireAfterSeconds=0),
    ],
    "event_counts": [
        IndexModel(
            [("tenant_id", _UP), ("place", _UP), ("subject_id", _UP), ("kind", _UP), ("start", _UP)], name="window", unique=True
        ),
        IndexModel([("lane", _UP), ("changed_at", _UP)], name="changed_feed"),
        IndexModel([("expire_at", _UP)], name="retention", expireAfterSeconds=0),
    ],
    "channels": [
        IndexModel([("tenant_id", _UP), ("created_at", _UP)], name="by_tenant"),
        IndexModel([("owner_id", _UP), ("created_at", _UP)], name="by_owner", partialFilterExpression=_named("owner_id")),
    ],
    "deliveries": [
        IndexModel(
            [("next_attempt_at", _UP)],
            name="due",
            partialFilterExpression={"next_attempt_at": {"$gt": datetime.fromtimestamp(0, UTC)}},
        ),
        IndexModel([("status", _UP)], name="unfinished", partialFilterExpression={"status": {"$in": ["pending", "sending"]}}),
        IndexModel([("tenant_id", _UP), ("alert_id", _UP), ("seq", _UP)], name="by_alert"),
        IndexModel([("channel_id", _UP), ("address", _UP), ("status", _UP)], name="by_recipient"),
        IndexModel([("bundle_id", _UP)], name="members", partialFilterExpression={"bundle_id": {"$gt": ""}}),
        IndexModel([("alert_ids", _UP)], name="bundles_of", partialFilterExpression={"bundling": {"$gt": ""}}),
        IndexModel([("tenant_id", _UP), ("created_at", _DOWN), ("_id", _DOWN)], name="newest"),
        IndexModel([("created_at", _DOWN), ("_id", _DOWN)], name="newest_of_all"),
        IndexModel([("expire_at", _UP)], name="retention", expireAfterSeconds=0),
    ],
    "notifications": [
        IndexModel([("user_id", _UP), ("at", _DOWN), ("_id", _DOWN)], name="newest"),
        IndexModel([("user_id", _UP), ("written_at", _UP), ("_id", _UP)], name="stream"),
        IndexModel([("written_at", _UP), ("user_id", _UP), ("_id", _UP)], name="feed"),
        IndexModel([("expire_at", _UP)], name="retention", expireAfterSeconds=0),
    ],
    "preferences": [],
    "stores": [IndexModel([("tenant_id", _UP), ("store_id", _UP)], name="by_id", unique=True)],
    "members": [IndexModel([("tenant_ids", _UP)], name="by_tenant"), IndexModel([("role", _UP)], name="by_role")],
    "paces": [IndexModel([("expire_at", _UP)], name="retention", expireAfterSeconds=0)],
    "api_keys": [IndexModel([("tenant_id", _UP)], name="by_tenant")],
    "audit_log": [
        IndexModel([("tenant_id", _UP), ("at", _DOWN), ("_id", _DOWN)], name="newest"),
        IndexModel([("at", _DOWN), ("_id", _DOWN)], name="newest_of_all"),
    ],
    "workers": [IndexModel([("expire_at", _UP)], name="gone", expireAfterSeconds=0)],
    "intakes": [IndexModel([("expire_at", _UP)], name="gone", expireAfterSeconds=0)],
    "tenants": [],
    "lanes": [],
    "leases": [],
}

_TEXT: dict[str, Any] = {"bsonType": "string"}
_TIME: dict[str, Any] = {"bsonType": "date"}
_NUMBER_OR_NULL: dict[str, Any] = {"bsonType": ["double", "int", "long", "null"]}

VALIDATORS: Mapping[str, dict[str, Any]] = {
    "device_heartbeats": {
        "bsonType": "object",
        "required": ["tenant_id", "device_id", "timestamp", "received_at", "expire_at", "lane"],
        "properties": {
            "tenant_id": _TEXT,
            "device_id": _TEXT,
            "timestamp": _TIME,
            "received_at": _TIME,
            "expire_at": _TIME,
            "sync_lag_sec": _NUMBER_OR_NULL,
            "cpu_usage": _NUMBER_OR_NULL,
            "memory_usage": _NUMBER_OR_NULL,
            "disk_usage": _NUMBER_OR_NULL,
        },
    },
    "provider_alerts": {
        "bsonType": "object",
        "required": ["tenant_id", "rule_key", "dedup_key", "status", "live", "severity", "first_seen", "last_seen", "version"],
        "properties": {
            "tenant_id": _TEXT,
            "status": {"enum": ["open", "acknowledged", "resolved"]},
            "severity": {"enum": ["critical", "high", "medium", "low", "info"]},
            "live": {"bsonType": "bool"},
            "first_seen": _TIME,
            "last_seen": _TIME,
            "version": {"bsonType": ["int", "long"]},
        },
    },
    "alert_rules": {
        "bsonType": "object",
        "required": ["key", "name", "severity", "condition", "enabled", "version"],
        "properties": {
            "tenant_id": {"bsonType": ["string", "null"]},
            "key": _TEXT,
            "enabled": {"bsonType": "bool"},
            "condition": {"bsonType": "object", "required": ["family"]},
            "severity": {"enum": ["critical", "high", "medium", "low", "info"]},
        },
    },
}


async def ensure_collections(mongo: Mongo) -> None:
    """Makes what is missing; harmless when many processes do it at once."""
    database = mongo.database
    there = set(await database.list_collection_names())
    for name, indexes in INDEXES.items():
        if name not in there:
            try:
                await database.create_collection(name)
            except OperationFailure as error:
                if error.code != _NAMESPACE_EXISTS:
                    raise
        if name in VALIDATORS:
            await database.command("collMod", name, validator={"$jsonSchema": VALIDATORS[name]}, validationLevel="moderate")
        if indexes:
            await database[name].create_indexes(indexes)


async def missing_indexes(mongo: Mongo) -> list[str]:
    """`collection.index` of every declared index that is not there."""
    missing = []
    for name, indexes in INDEXES.items():
        there = await mongo.database[name].index_information()
        missing += [f"{name}.{index.document['name']}" for index in indexes if index.document["name"] not in there]
    return missing
