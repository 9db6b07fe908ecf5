"""Makes a lone mongod a replica set of one: transactions and change streams need a set."""

import time
from typing import Any

from pymongo import MongoClient
from pymongo.errors import AutoReconnect, OperationFailure, ServerSelectionTimeoutError

REPLICA_SET = "rs0"
_NOT_YET_INITIALIZED = 94
_STEP_SEC = 0.02


class NoPrimaryError(Exception):
    """The server did not become a primary in time."""


def ensure_primary(host: str, port: int, seconds: float) -> None:
    """Initiates the set where there is none, corrects its address where the port has changed, waits for the primary."""
    deadline = time.monotonic() + seconds
    address = f"{host}:{port}"
    client: MongoClient[dict[str, Any]] = MongoClient(
        host, port, directConnection=True, serverSelectionTimeoutMS=250, connectTimeoutMS=1_000, socketTimeoutMS=5_000
    )
    with client:
        while True:
            try:
                if client.admin.command("hello").get("isWritablePrimary") and _address(client) == address:
                    return
                _name_member(client, address)
            except (AutoReconnect, ServerSelectionTimeoutError, OperationFailure) as error:
                if time.monotonic() > deadline:
                    raise NoPrimaryError(f"mongod at {address} is not a primary after {seconds:g} s: {error}") from error
            if time.monotonic() > deadline:
                raise NoPrimaryError(f"mongod at {address} is not a primary after {seconds:g} s")
            time.sleep(_STEP_SEC)


def _name_member(client: "MongoClient[dict[str, Any]]", address: str) -> None:
    member = {"_id": 0, "host": address}
    config = _config(client)
    if config is None:
        client.admin.command("replSetInitiate", {"_id": REPLICA_SET, "members": [member]})
    elif config["members"][0]["host"] != address:
        # The set still knows the port of an earlier run; nobody else can vote on the new one, hence force.
        changed = {**config, "version": config["version"] + 1, "members": [{**config["members"][0], **member}]}
        client.admin.command("replSetReconfig", changed, force=True)


def _address(client: "MongoClient[dict[str, Any]]") -> str | None:
    config = _config(client)
    return None if config is None else str(config["members"][0]["host"])


def _config(client: "MongoClient[dict[str, Any]]") -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = client.admin.command("replSetGetConfig")["config"]
    except OperationFailure as error:
        if error.code == _NOT_YET_INITIALIZED:
            return None
        raise
    return found
