"""Alerta, an alert console with heartbeats, from its package in a virtual environment of its own (`make bench` makes it)."""

import os
from pathlib import Path
from uuid import uuid4

import aiohttp

from app.embedded import free_port, mongo_uri
from app.store.mongo import Mongo
from bench.stage import Server, Stage

DATABASE = "alerta"
_VENV = Path(__file__).parents[3] / ".bench" / "alerta"
_APPLICATION = "alerta:create_app()"


def why_no_alerta() -> str | None:
    """Why it is left out; None where it is there."""
    return None if (_VENV / "bin" / "gunicorn").exists() else "alerta-server could not be installed here"


async def start_alerta(stage: Stage) -> Server:
    """One process and one thread (it closes its client after each call, and those of other threads with it), without sign-in, on the
    same mongod; writes wait for a majority."""
    port = free_port()
    uri = mongo_uri(stage.mongo_port, DATABASE) + "&w=majority"
    environment = {**os.environ, "DATABASE_URL": uri, "SECRET_KEY": "bench", "AUTH_REQUIRED": "false"}
    serving = [
        "--workers",
        "1",
        "--worker-class",
        "gthread",
        "--threads",
        "1",
        "--bind",
        f"127.0.0.1:{port}",
        "--log-level",
        "warning",
    ]
    gunicorn = str(_VENV / "bin" / "gunicorn")
    return await stage.program("alerta", [str(_VENV / "bin" / "python"), gunicorn, *serving, _APPLICATION], port, environment)


async def raise_alerts(mongo: Mongo, port: int, count: int) -> list[str]:
    """The first by its API, all others as copies of what that left: by the API they would take a minute."""
    alert = {
        "environment": "Production",
        "resource": "till-0",
        "event": "CpuHigh",
        "severity": "major",
        "service": ["Tills"],
        "text": "cpuUsage was 97.2 % over 5 min, more than 90 %",
        "origin": "bench",
    }
    async with aiohttp.ClientSession() as session, session.post(f"http://127.0.0.1:{port}/alert", json=alert) as answer:
        made = (await answer.json())["id"]
    alerts = mongo.database["alerts"]
    first = await alerts.find_one({"_id": made})
    assert first is not None
    ids = [str(uuid4()) for _ in range(count - 1)]
    copies = [{**first, "_id": one, "resource": f"till-{number}", "lastReceiveId": one} for number, one in enumerate(ids, 1)]
    await alerts.insert_many(copies)
    return [made, *ids]
