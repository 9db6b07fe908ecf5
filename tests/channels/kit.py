"""What every way out has to hold to, whichever kind of channel it is for: one case for each, and how one try is made.

A new way is a row of CASES. One that speaks something else than HTTP says `over_http=False`, and takes host and port for its
`settings` from the address that it is given; one that speaks to nobody says `has_far_end=False` as well.
"""

import io
import json
import logging
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from app.channels.in_app import InAppWay
from app.channels.ways import open_ways
from app.domain.channel import (
    AppriseConfig,
    ChannelKind,
    Config,
    EmailConfig,
    InAppConfig,
    PagerDutyConfig,
    SlackConfig,
    SmsConfig,
    TelegramConfig,
    WebhookConfig,
    WebhookFormat,
)
from app.domain.delivery import Answer
from app.domain.message import Message
from app.logging import configure_logging
from app.settings import Settings
from tests.delivery.receiver import Call

TIMEOUT_SEC = 20
"""Far longer than an answer from the loopback takes; who waits for none says how long."""

SECRET = "s3cret-0123456789-of-the-tests"
NUMBER = "+15550001234"
MAILBOX = "night-shift@example.com"


def _to_any(_: str) -> dict[str, Any]:
    return {"allow_private_webhooks": True}


def _mail_server(url: str) -> dict[str, Any]:
    parts = urlsplit(url)
    login = {"smtp_user": "fleetbeat", "smtp_password": SECRET}
    return {"smtp_host": parts.hostname, "smtp_port": parts.port, "smtp_tls": "off", **login}


def _key_of(call: Call) -> str:
    return call.headers["Idempotency-Key"]


@dataclass(frozen=True)
class Case:
    """One kind of channel. `config` and `settings` are given the address of the far end. `success` is what it says when it took a
    message; where `reads`, nothing else is a success. `wrong_token` is its answer to credentials that do not hold;
    `of_settings` are the statuses that say so of those of the settings, which are no fault of the channel."""

    name: str
    kind: ChannelKind
    config: Callable[[str], Config]
    wrong_token: tuple[int, bytes]
    settings: Callable[[str], dict[str, Any]] = _to_any
    success: bytes = b""
    reads: bool = False
    of_settings: tuple[int, ...] = ()
    to: str | None = None
    secrets: tuple[str, ...] = (SECRET,)
    over_http: bool = True
    has_far_end: bool = True
    key_of: Callable[[Call], str] = field(default=_key_of)


CASES = [
    Case(
        name="webhook",
        kind=ChannelKind.WEBHOOK,
        config=lambda url: WebhookConfig(url=f"{url}/path-t0ken?key=query-t0ken", secret=SECRET),
        wrong_token=(401, b""),
        secrets=(SECRET, "path-t0ken", "query-t0ken"),
    ),
    Case(
        name="webhook of machines",
        kind=ChannelKind.WEBHOOK,
        config=lambda url: WebhookConfig(url=f"{url}/path-t0ken", secret=SECRET, format=WebhookFormat.MACHINE),
        wrong_token=(403, b""),
        secrets=(SECRET, "path-t0ken"),
    ),
    Case(
        name="slack webhook",
        kind=ChannelKind.SLACK,
        config=lambda url: SlackConfig(webhook_url=f"{url}/services/T00/B00/path-t0ken"),
        success=b"ok",
        wrong_token=(403, b"invalid_token"),
        secrets=("path-t0ken",),
    ),
    Case(
        name="slack bot",
        kind=ChannelKind.SLACK,
        config=lambda _: SlackConfig(token=f"xoxb-{SECRET}", channel="C0123456789"),
        settings=lambda url: {"slack_api_url": url},
        success=b'{"ok": true, "channel": "C0123456789", "ts": "1405894322.002768"}',
        wrong_token=(200, b'{"ok": false, "error": "invalid_auth"}'),
        reads=True,
        secrets=(SECRET, "C0123456789"),
    ),
    Case(
        name="telegram",
        kind=ChannelKind.TELEGRAM,
        config=lambda _: TelegramConfig(chat_id="-100987654321", bot_token=f"123456:{SECRET}"),
        settings=lambda url: {"telegram_api_url": url},
        success=b'{"ok": true, "result": {"message_id": 77}}',
        wrong_token=(401, b'{"ok": false, "error_code": 401, "description": "Unauthorized"}'),
        reads=True,
        secrets=(SECRET, "-100987654321"),
    ),
    Case(
        name="pagerduty",
        kind=ChannelKind.PAGERDUTY,
        config=lambda _: PagerDutyConfig(routing_key=SECRET),
        settings=lambda url: {"pagerduty_api_url": url},
        success=b'{"status": "success", "message": "Event processed", "dedup_key": "alert-1"}',
        wrong_token=(400, b'{"status": "invalid event", "errors": ["Length of \'routing_key\' is incorrect"]}'),
    ),
    Case(
        name="sms",
        kind=ChannelKind.SMS,
        config=lambda _: SmsConfig(to=(NUMBER,)),
        settings=lambda url: {
            "twilio_api_url": url,
            "twilio_account_sid": "AC0123456789",
            "twilio_auth_token": SECRET,
            "twilio_from": "+15559990000",
        },
        success=b'{"sid": "SM0123456789", "status": "queued"}',
        wrong_token=(401, b'{"code": 20003, "message": "Authenticate", "status": 401}'),
        of_settings=(401, 403, 404),
        to=NUMBER,
        secrets=(SECRET, NUMBER, "AC0123456789"),
    ),
    Case(
        name="email",
        kind=ChannelKind.EMAIL,
        config=lambda _: EmailConfig(to=(MAILBOX,)),
        settings=_mail_server,
        wrong_token=(535, b""),
        to=MAILBOX,
        secrets=(SECRET, MAILBOX),
        over_http=False,
    ),
    Case(
        name="apprise",
        kind=ChannelKind.APPRISE,
        config=lambda url: AppriseConfig(url=f"json://user:{SECRET}@{urlsplit(url).netloc}/path-t0ken"),
        wrong_token=(401, b""),
        secrets=(SECRET, "path-t0ken"),
        over_http=False,
    ),
    Case(
        name="in-app",
        kind=ChannelKind.IN_APP,
        config=lambda _: InAppConfig(user_ids=("vera",)),
        wrong_token=(0, b""),
        to="vera",
        over_http=False,
        has_far_end=False,
    ),
]
OVER_HTTP = [case for case in CASES if case.over_http]


def hostile(case: Case) -> bytes:
    """An answer that repeats what it was told."""
    said = " ".join(case.secrets)
    return json.dumps({"ok": False, "error": said, "description": said, "message": said, "code": said}).encode()


@contextmanager
def logged() -> Iterator[io.StringIO]:
    """Every line that is logged meanwhile, by structlog and the standard library."""
    lines, root = io.StringIO(), logging.getLogger()
    before, level = root.handlers[:], root.level
    configure_logging("debug", "json", lines)
    try:
        yield lines
    finally:
        root.handlers[:] = before
        root.setLevel(level)


async def tried(case: Case, message: Message, url: str, timeout_sec: float = TIMEOUT_SEC) -> Answer:
    """One try; nothing secret is in its answer or in a log, whatever happens."""
    [answer] = await tried_often(case, message, url, 1, timeout_sec)
    return answer


async def tried_often(
    case: Case, message: Message, url: str, times: int, timeout_sec: float = TIMEOUT_SEC, in_app: InAppWay | None = None
) -> list[Answer]:
    config = case.config(url)
    with logged() as lines:
        async with open_ways(Settings(**case.settings(url)), in_app, timeout_sec) as ways:
            answers = [await ways[case.kind].send(config, message) for _ in range(times)]
    for place in (repr([getattr(answer, "error", None) for answer in answers]), lines.getvalue(), repr(config), str(config)):
        for secret in (*case.secrets, url.rsplit(":", 1)[-1]):
            assert secret not in place
    return answers


def untrusted(authority: Any) -> ssl.SSLContext:
    """The far end's side of a connection whose certificate nobody knows."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context
