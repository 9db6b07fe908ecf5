"""The way out by webhook: one signed POST, to addresses that were checked, with an answer in a few words."""

import asyncio
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from app.domain.addresses import is_address, is_public
from app.domain.delivery import Never, Sent, TryAgain

TIMEOUT_SEC = 10.0
AGAIN = (408, 425, 429)
REFUSED = "the address is inside the network, which ALLOW_PRIVATE_WEBHOOKS would have to allow"


class InsideError(Exception):
    """The name leads to an address inside the network."""


class CheckedResolver(AbstractResolver):
    """Hands out addresses that were checked; the connection is made to these, and the name is not asked for again."""

    def __init__(self, allow_private: bool) -> None:
        self._allow_private = allow_private

    async def resolve(self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC) -> list[ResolveResult]:
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host, port, family=family, type=socket.SOCK_STREAM)
        addresses = [(kind, str(address[0])) for kind, _, _, _, address in found]
        if not self._allow_private and not all(is_public(address) for _, address in addresses):
            raise InsideError
        return [
            ResolveResult(hostname=host, host=address, port=port, family=kind, proto=0, flags=socket.AI_NUMERICHOST)
            for kind, address in addresses
        ]

    async def close(self) -> None:
        """Nothing is held."""


class WebhookSender:
    """Posts over connections that are not shared between receivers' names, and follows nobody anywhere."""

    def __init__(self, session: aiohttp.ClientSession, allow_private: bool) -> None:
        self._session = session
        self._allow_private = allow_private

    async def send(self, url: str, body: bytes, headers: Mapping[str, str], now: datetime) -> Sent | TryAgain | Never:
        """What came of it. No outcome says the address, or anything that the receiver wrote."""
        # A literal address is connected to without asking the resolver.
        if not self._allow_private and is_address(host := urlsplit(url).hostname or "") and not is_public(host):
            return Never(REFUSED)
        try:
            async with self._session.post(url, data=body, headers=headers, allow_redirects=False) as answer:
                return outcome_of(answer.status, answer.headers.get("Retry-After"), now)
        except InsideError:
            return Never(REFUSED)
        except TimeoutError:
            return TryAgain(f"no answer within {TIMEOUT_SEC:.0f} s")
        except aiohttp.InvalidURL:
            return Never("the address is no URL")
        except (aiohttp.ClientError, OSError) as error:
            if isinstance(error.__cause__, InsideError):
                return Never(REFUSED)
            return TryAgain(_failure(error))


@asynccontextmanager
async def open_webhooks(allow_private: bool, timeout_sec: float = TIMEOUT_SEC) -> AsyncIterator[WebhookSender]:
    connector = aiohttp.TCPConnector(resolver=CheckedResolver(allow_private), use_dns_cache=False, limit=0)
    async with aiohttp.ClientSession(
        connector=connector,
        timeout=aiohttp.ClientTimeout(total=timeout_sec),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
    ) as session:
        yield WebhookSender(session, allow_private)


def outcome_of(status: int, retry_after: str | None, now: datetime) -> Sent | TryAgain | Never:
    if 200 <= status < 300:
        return Sent()
    if status in AGAIN or status >= 500:
        return TryAgain(f"answered {status}", _seconds(retry_after, now))
    if 300 <= status < 400:
        return Never(f"answered {status}; redirects are not followed")
    return Never(f"answered {status}")


def _seconds(retry_after: str | None, now: datetime) -> float | None:
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
