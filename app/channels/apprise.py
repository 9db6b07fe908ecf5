"""The way out by apprise, for the services that have no channel of their own: each message in a process of its own.

Apprise waits as long as a service lets it wait, and does what a URL says; a process can be killed, and is told nothing
but the message and where it goes.
"""

import asyncio
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE
from pathlib import Path
from weakref import WeakValueDictionary

import msgspec

from app.channels.apprise_child import Asked, Result
from app.channels.apprise_url import understands
from app.channels.http import REFUSED
from app.channels.plain_text import plain_text
from app.domain.alert import Severity
from app.domain.channel import AppriseConfig
from app.domain.delivery import Answer, Never, Sent, TryAgain
from app.domain.message import Message
from app.settings import Settings

__all__ = ("AppriseWay", "understands")

TIMEOUT_SEC = 14.0
WAIT_SEC = 12.0
"""How long a message waits for its turn at most; together less than its lease."""

AT_ONCE = 4
OF_ONE_TENANT = 2

_HOME = Path(__file__).parents[2]
_KEPT = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "LD_LIBRARY_PATH")
"""All that the child sees of our environment, in which there are secrets."""

_BAD, _POOR = (Severity.CRITICAL, Severity.HIGH), (Severity.MEDIUM, Severity.LOW)


class AppriseWay:
    """Apprise says whether a message was sent, not why it was not: so it is tried again."""

    def __init__(self, settings: Settings, timeout_sec: float = TIMEOUT_SEC, wait_sec: float = WAIT_SEC) -> None:
        self._allow_private = settings.allow_private_webhooks
        self._timeout_sec, self._wait_sec = timeout_sec, wait_sec
        self._room = asyncio.Semaphore(AT_ONCE)
        self._tenants: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()

    async def send(self, config: AppriseConfig, message: Message) -> Answer:
        # One tenant's services that hang do not take every place.
        share = self._tenants.setdefault(message.tenant_id, asyncio.Semaphore(OF_ONE_TENANT))
        try:
            async with asyncio.timeout(self._wait_sec) as waiting, share, self._room:
                waiting.reschedule(None)
                return await self._tell(config.url, message)
        except TimeoutError:
            return TryAgain("it waited too long for others that go by apprise", ours=True)

    async def _tell(self, url: str, message: Message) -> Answer:
        said = plain_text(message)
        asked = Asked(
            url=url,
            title=said.title,
            body=said.body,
            kind=_kind(message),
            allow_private=self._allow_private,
            seconds=self._timeout_sec + 1,
        )
        try:
            return _answer(await _ask(asked, self._timeout_sec))
        except TimeoutError:
            return TryAgain(f"apprise did not get it through within {self._timeout_sec:.0f} s")
        except (OSError, msgspec.DecodeError):
            return TryAgain("the process of apprise ended without an answer")


async def _ask(asked: Asked, timeout_sec: float) -> Result:
    """Raises TimeoutError, OSError where there is no process to be had, and DecodeError where it died."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "app.channels.apprise_child", stdin=PIPE, stdout=PIPE, stderr=DEVNULL, cwd=_HOME, env=_environment()
    )
    try:
        async with asyncio.timeout(timeout_sec):
            said, _ = await process.communicate(msgspec.json.encode(asked))
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return msgspec.json.decode(said, type=Result)


def _environment() -> dict[str, str]:
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    return {**kept, "PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "LANG": "C.UTF-8", "PYTHONDONTWRITEBYTECODE": "1"}


def _answer(result: Result) -> Answer:
    match result:
        case Result.SENT:
            return Sent()
        case Result.FAILED:
            return TryAgain("apprise could not send it, and does not say why")
        case Result.UNUSABLE:
            return Never("the URL is of no service that apprise knows and that may be used")
        case Result.INSIDE:
            return Never(REFUSED)
        case Result.MACHINE:
            return Never("the URL wants a file or a program of the machine that Fleetbeat runs on")


def _kind(message: Message) -> str:
    """What apprise's services choose colours and signs by."""
    open_ = [note.alert.severity for note in message.notes if note.alert.live]
    if not open_:
        return "info" if message.is_test else "success"
    if any(severity in _BAD for severity in open_):
        return "failure"
    return "warning" if any(severity in _POOR for severity in open_) else "info"
