"""The limit: what a server in Python can do that reads the JSON of a beat and answers. `python -m bench.peers.raw PORT starlette|asgi`."""

import json
import sys
from typing import Any

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from bench.peers.serving import serve

ANSWER = json.dumps(
    {"data": {"heartbeat": {"accepted": True, "status": "ONLINE", "nextWithinSec": 60}}}, separators=(",", ":")
).encode()
_HEAD = [(b"content-type", b"application/json"), (b"content-length", str(len(ANSWER)).encode())]


async def asgi(scope: Scope, receive: Receive, send: Send) -> None:
    """No framework at all."""
    if scope["type"] == "lifespan":
        return await _live(receive, send)
    body = b""
    while True:
        message = await receive()
        body += message["body"]
        if not message["more_body"]:
            break
    _require_device(msgspec.json.decode(body))
    await send({"type": "http.response.start", "status": 200, "headers": _HEAD})
    await send({"type": "http.response.body", "body": ANSWER})
    return None


async def beat(request: Request) -> Response:
    _require_device(msgspec.json.decode(await request.body()))
    return Response(ANSWER, media_type="application/json")


def _require_device(call: dict[str, Any]) -> None:
    assert call["variables"]["input"]["deviceId"]


async def _live(receive: Receive, send: Send) -> None:
    for _ in range(2):
        message = await receive()
        await send({"type": f"{message['type']}.complete"})


if __name__ == "__main__":
    starlette = Starlette(routes=[Route("/graphql", beat, methods=["POST"])])
    serve({"asgi": asgi, "starlette": starlette}[sys.argv[2]], int(sys.argv[1]))
