"""The far ends, in a process of their own: `python -m bench.deliveries.receivers PORT MAIL_PORT`.

A webhook, a Slack-like endpoint and a mail server that note when which alert came. Told to fail, they do so at random: by a
timeout, a reset, 429, 500, or half an answer. `GET /receipts` hands out what was noted, `POST /fail/PERCENT/SEED` sets how often.
"""

import asyncio
import contextlib
import random
import re
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from email import message_from_bytes

import msgspec
from aiohttp import web
from aiosmtpd.smtp import SMTP, Envelope, Session

MARKER = re.compile(r"/alerts/([0-9a-z-]+)")
"""What is told links to its alert."""

FAILURES = {"reset": 28, "500": 25, "429": 22, "half": 20, "timeout": 5}
"""Of a hundred: timeouts are few, since each holds a sender for ten seconds."""
HANG_SEC = 30.0


class Receipt(msgspec.Struct, frozen=True):
    """One message that came whole. `taken` says that the answer was a success."""

    at: float
    kind: str
    where: str
    alerts: tuple[str, ...]
    key: str | None
    taken: bool


@dataclass
class Receivers:
    receipts: list[Receipt] = field(default_factory=list)
    failed: Counter[str] = field(default_factory=Counter)
    share: float = 0.0
    chance: random.Random = field(default_factory=random.Random)

    def failure(self) -> str | None:
        """How to fail this time; None answers as it should be."""
        if self.chance.random() >= self.share:
            return None
        [chosen] = self.chance.choices(list(FAILURES), list(FAILURES.values()))
        self.failed[chosen] += 1
        return chosen

    async def take(self, request: web.Request) -> web.StreamResponse:
        failure = self.failure()
        if failure == "reset" and self.chance.random() < 0.5:
            return _cut(request)  # before anything was read
        body = (await request.read()).decode(errors="replace")
        _, kind, where = request.path.split("/", 2)
        # Half an answer begins as a success does: who sends may take it for one.
        self._note(kind, where, body, request.headers.get("Idempotency-Key"), failure in (None, "half"))
        return await self._answer(request, kind, failure)

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        failure = self.failure()
        if failure == "timeout":
            await asyncio.sleep(HANG_SEC)
        if failure is not None:
            return "451 not now"
        message = message_from_bytes(envelope.original_content or b"")
        parts = [part.get_payload(decode=True) for part in message.walk() if not part.is_multipart()]
        text = " ".join(part.decode(errors="replace") for part in parts if isinstance(part, bytes))
        for recipient in envelope.rcpt_tos:
            self._note("email", recipient, text, None, True)
        return "250 taken"

    async def shown(self, request: web.Request) -> web.Response:
        start = int(request.query.get("from", "0"))
        body = {"receipts": self.receipts[start:], "failed": self.failed}
        return web.Response(body=msgspec.json.encode(body), content_type="application/json")

    async def fail(self, request: web.Request) -> web.Response:
        self.share = int(request.match_info["percent"]) / 100
        self.chance = random.Random(int(request.match_info["seed"]))
        return web.Response()

    def _note(self, kind: str, where: str, text: str, key: str | None, taken: bool) -> None:
        self.receipts.append(Receipt(time.time(), kind, where, tuple(dict.fromkeys(MARKER.findall(text))), key, taken))

    async def _answer(self, request: web.Request, kind: str, failure: str | None) -> web.StreamResponse:
        match failure:
            case "timeout":
                await asyncio.sleep(HANG_SEC)
                return _cut(request)
            case "reset":
                return _cut(request)
            case "half":
                assert request.transport is not None
                request.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 900000\r\n\r\nhalf")
                return _cut(request)
            case "429":
                return web.Response(status=429, headers={"Retry-After": "1"})
            case "500":
                return web.Response(status=500)
        return web.Response(text="ok") if kind == "slack" else web.Response()


def _cut(request: web.Request) -> web.Response:
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


async def serve(port: int, mail_port: int) -> None:
    receivers = Receivers()
    app = web.Application()
    app.router.add_get("/receipts", receivers.shown)
    app.router.add_post("/fail/{percent}/{seed}", receivers.fail)
    app.router.add_post("/{path:.*}", receivers.take)
    runner = web.AppRunner(app, shutdown_timeout=0.1, access_log=None)
    await runner.setup()
    loop = asyncio.get_running_loop()
    await loop.create_server(lambda: SMTP(receivers, enable_SMTPUTF8=True, loop=loop), "127.0.0.1", mail_port)
    await web.TCPSite(runner, "127.0.0.1", port).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(int(sys.argv[1]), int(sys.argv[2])))
