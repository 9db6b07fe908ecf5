"""`fleetbeat api`: one process that serves GraphQL over HTTP and WebSocket."""

import gc
import socket
from typing import Annotated

import typer
import uvicorn

from app.logging import configure_logging
from app.main import create_app
from app.settings import read_settings
from schema.build import build_schema
from schema.http_protocol import ShortWayProtocol

# Longer than any single answer, shorter than what supervisors wait before they kill.
_DRAIN_SEC = 10


def command(
    host: Annotated[str | None, typer.Option(help="Address to listen on. Default: HOST.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on. Default: PORT.")] = None,
    fd: Annotated[int | None, typer.Option(help="Take over this listening socket instead.")] = None,
) -> None:
    """Serve the API."""
    settings = read_settings(host=host, port=port)
    configure_logging(settings.log_level, settings.log_format)
    config = uvicorn.Config(
        create_app(settings),
        host=settings.host,
        port=settings.port,
        loop="uvloop",
        http=ShortWayProtocol,
        ws="schema.websocket_protocol:AbortingWebSocketProtocol",
        # Frames are small and many; compressing each costs more than it saves.
        ws_per_message_deflate=False,
        ws_max_size=settings.max_body_bytes,
        timeout_graceful_shutdown=_DRAIN_SEC,
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        backlog=2048,
    )
    _settle()
    server = uvicorn.Server(config)
    server.run(sockets=None if fd is None else [socket.socket(fileno=fd)])
    if not server.started:
        raise typer.Exit(3)


def _settle() -> None:
    """What is there at the start stays: the collector need not look at it again and again, which took a tenth of each call."""
    build_schema()
    gc.collect()
    gc.freeze()
    gc.set_threshold(5_000, 20, 50)
