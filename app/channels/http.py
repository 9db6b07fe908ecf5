"""HTTP as channels use it: bounded in time and size, to checked addresses where a tenant chose them, with answers in our words."""

import asyncio
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import msgspec
from aiohttp.abc import AbstractResolver, ResolveResult

from app.domain.addresses import is_address, is_public
from app.domain.delivery import Answer, Never, Sent, TryAgain

TIMEOUT_SEC = 10.0
AGAIN = (408, 425, 429)
MOST_ANSWER_BYTES = 64 * 1024
"""More of an answer than that is not read."""

REFUSED = "the address is inside the network, which ALLOW_PRIVATE_WEBHOOKS would have to allow"


class InsideError(Exception):
    """The name leads to an address inside the network."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer that came whole. `said` is its JSON, or None where it is something else or longer than we read."""

    status: int
    said: Any = None
    retry_after: float | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_success(self) -> bool:
        return 200 <= self.status < 300


class CheckedResolver(AbstractResolver):
    """Hands out addresses that were checked; the connection is made to these, and the name is not asked for again."""

    async def resolve(self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC) -> list[ResolveResult]:
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host, port, family=family, type=socket.SOCK_STREAM)
        addresses = [(kind, str(address[0])) for kind, _, _, _, address in found]
        if not all(is_public(address) for _, address in addresses):
            raise InsideError
        return [
            ResolveResult(hostname=host, host=address, port=port, family=kind, proto=0, flags=socket.AI_NUMERICHOST)
            for kind, address in addresses
        ]

    async def close(self) -> None:
        """Nothing is held."""


class Http:
    """Posts, and follows nobody anywhere. `checked` refuses addresses inside the network."""

    def __init__(self, session: aiohttp.ClientSession, checked: bool) -> None:
        self._session = session
        self._checked = checked

    async def post(
        self,
        url: str,
        now: datetime,
        *,
        data: bytes | Mapping[str, str] | aiohttp.FormData,
        headers: Mapping[str, str] | None = None,
        auth: aiohttp.BasicAuth | None = None,
        read: bool = True,
    ) -> Reply | TryAgain | Never:
        """The reply, whatever its status; TryAgain or Never where none came. Without `read` the body is left unread."""
        # A literal address is connected to without asking the resolver.
        if self._checked and is_address(host := urlsplit(url).hostname or "") and not is_public(host):
            return Never(REFUSED)
        try:
            async with self._session.post(url, data=data, headers=headers, auth=auth, allow_redirects=False) as answer:
                said = await _said(answer) if read else None
                wait = seconds_of(answer.headers.get("Retry-After"), now)
                return Reply(answer.status, said, wait, answer.headers)
        except InsideError:
            return Never(REFUSED)
        except TimeoutError:
            return TryAgain(f"no answer within {self._session.timeout.total:.0f} s")
        except aiohttp.InvalidURL:
            return Never("the address is no URL")
        except (aiohttp.ClientError, OSError) as error:
            return Never(REFUSED) if isinstance(error.__cause__, InsideError) else TryAgain(_failure(error))


@asynccontextmanager
async def open_http(checked: bool, timeout_sec: float = TIMEOUT_SEC) -> AsyncIterator[Http]:
    connector = aiohttp.TCPConnector(resolver=CheckedResolver() if checked else None, use_dns_cache=not checked, limit=0)
    async with aiohttp.ClientSession(
        connector=connector,
        timeout=aiohttp.ClientTimeout(total=timeout_sec),
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"User-Agent": "Fleetbeat"},
    ) as session:
        yield Http(session, checked)


def answer_of(reply: Reply) -> Answer:
    """What a status means where the receiver says no more than that."""
    if reply.is_success:
        return Sent()
    if reply.status in AGAIN or reply.status >= 500:
        return TryAgain(f"answered {reply.status}", reply.retry_after)
    if 300 <= reply.status < 400:
        return Never(f"answered {reply.status}; redirects are not followed")
    return Never(f"answered {reply.status}")


def seconds_of(retry_after: str | None, now: datetime) -> float | None:
    """Retry-After is seconds, or a date."""
    if retry_after is None:
        return None
    if retry_after.isascii() and retry_after.isdigit():
        return float(retry_after[:9])
    try:
        at = parsedate_to_datetime(retry_after)
    except ValueError:
        return None
    return max(0.0, ((at if at.tzinfo else at.replace(tzinfo=UTC)) - now).total_seconds())


async def _said(answer: aiohttp.ClientResponse) -> Any:
    body = bytearray()
    async for chunk in answer.content.iter_any():
        body += chunk
        if len(body) > MOST_ANSWER_BYTES:
            return None
    try:
        return msgspec.json.decode(bytes(body))
    except msgspec.DecodeError:
        return None


def _failure(error: Exception) -> str:
    """In our words: the library's name the address."""
    match error:
        case aiohttp.ClientSSLError():
            return "the receiver's certificate does not hold"
        case aiohttp.ClientConnectorDNSError() | socket.gaierror():
            return "the receiver's name is not known"
        case aiohttp.ClientConnectorError():
            return "no connection"
        case aiohttp.ServerDisconnectedError() | ConnectionError():
            return "the connection was cut before an answer"
        case _:
            return "no proper answer"
