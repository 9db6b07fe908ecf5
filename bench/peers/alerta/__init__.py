"""Alerta, an alert console with heartbeats, from its package in a virtual environment of its own (`make bench` makes it)."""

import os
from pathlib import Path

from app.embedded import free_port, mongo_uri
from bench.stage import Server, Stage

_VENV = Path(__file__).parents[3] / ".bench" / "alerta"
_APPLICATION = "alerta:create_app()"


def why_no_alerta() -> str | None:
    """Why it is left out; None where it is there."""
    return None if (_VENV / "bin" / "gunicorn").exists() else "alerta-server could not be installed here"


async def start_alerta(stage: Stage) -> Server:
    """One process and one thread (it closes its client after each call, and those of other threads with it), without sign-in, on the
    same mongod; writes wait for a majority."""
    port = free_port()
    uri = mongo_uri(stage.mongo_port, "alerta") + "&w=majority"
    environment = {**os.environ, "DATABASE_URL": uri, "SECRET_KEY": "bench", "AUTH_REQUIRED": "false"}
    serving = ["--workers", "1", "--worker-class", "gthread", "--threads", "1", "--bind", f"127.0.0.1:{port}", "--log-level", "warning"]
    gunicorn = str(_VENV / "bin" / "gunicorn")
    return await stage.program("alerta", [str(_VENV / "bin" / "python"), gunicorn, *serving, _APPLICATION], port, environment)
