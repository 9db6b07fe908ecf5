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
    """Initiates the set where there is none, and waits for the primary."""
    deadline = time.monotonic() + seconds
    address = f"{host}:{port}"
    with _connect(host, port) as client:
        while True:
            fault: Exception | None = None
            try:
                if client.admin.command("hello").get("isWritablePrimary"):
                    return
                _initiate(client, address)
            except (AutoReconnect, ServerSelectionTimeoutError, OperationFailure) as error:
                fault = error
            if time.monotonic() > deadline:
                raise NoPrimaryError(f"mongod at {address} is not a primary after {seconds:g} s") from fault
            time.sleep(_STEP_SEC)


def name_member(host: str, port: int, address: str) -> None:
    """Gives the set's only member a new address. The mongod at `port` has to run on its own, outside of the set.

    A member of the set first asks its old address whether it is there itself, and hangs where somebody else listens.
    """
    with _connect(host, port) as client:
        client.local["system.replset"].update_one({"_id": REPLICA_SET}, {"$set": {"members.0.host": address}})


def _initiate(client: "MongoClient[dict[str, Any]]", address: str) -> None:
    try:
        client.admin.command("replSetGetConfig")
    except OperationFailure as error:
        if error.code != _NOT_YET_INITIALIZED:
            raise
        client.admin.command("replSetInitiate", {"_id": REPLICA_SET, "members": [{"_id": 0, "host": address}]})


def _connect(host: str, port: int) -> "MongoClient[dict[str, Any]]":
    return MongoClient(
        host, port, directConnection=True, serverSelectionTimeoutMS=250, connectTimeoutMS=1_000, socketTimeoutMS=5_000
    )
