"""HTTP as channels use it: bounded in time and size, to checked addresses where a tenant chose them, with answers in our words."""

import re
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import aiohttp
import msgspec
from aiohttp.abc import ResolveResult

from app.channels.names import CrowdedError, LookUp, Resolver, asking
from app.domain.addresses import is_public
from app.domain.delivery import Answer, Never, Sent, TryAgain

TIMEOUT_SEC = 10.0
AGAIN = (408, 425, 429)
MOST_ANSWER_BYTES = 64 * 1024
"""More of an answer than that is not read."""

REFUSED = "the address is inside the network, which ALLOW_PRIVATE_WEBHOOKS would have to allow"
CROWDED = "too many names are being looked up here that nobody answers for"
_CODE = re.compile(r"[a-z_]{1,40}")


class InsideError(Exception):
    """The name leads to an address inside the network."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer. `body` is None where it was not read, broke off, or is longer than we read."""

    status: int
    body: bytes | None = None
    retry_after: float | None = None

    @property
    def is_success(self) -> bool:
        return 200 <= self.status < 300

    @property
    def said(self) -> Mapping[str, Any]:
        """The JSON object that it is; empty where it is something else."""
        try:
            said = msgspec.json.decode(self.body or b"")
        except (msgspec.DecodeError, RecursionError):
            return {}
        return said if isinstance(said, dict) else {}


class CheckedResolver(Resolver):
    """Hands out addresses that were checked; the connection is made to these, and the name is not asked for again."""

    async def resolve(self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC) -> list[ResolveResult]:
        found = await super().resolve(host, port, family)
        if not all(is_public(one["host"]) for one in found):
            raise InsideError
        return found


def checked_socket(address: tuple[Any, ...]) -> socket.socket:
    """The last door, which literal addresses pass too: they ask no resolver."""
    family, kind, protocol, _, (host, *_) = address
    if not is_public(str(host)):
        raise InsideError
    return socket.socket(family, kind, protocol)


class Http:
    """Posts, and follows nobody anywhere."""

    def __init__(self, session: aiohttp.ClientSession, tenant_id: str = "") -> None:
        self._session = session
        self._tenant_id = tenant_id

    def of(self, tenant_id: str) -> "Http":
        """The same for a tenant, who has a share of what is looked up at a time."""
        return Http(self._session, tenant_id)

    async def post(
        self,
        url: str,
        now: datetime,
        *,
        data: bytes | Mapping[str, str] | aiohttp.FormData,
        headers: Mapping[str, str] | None = None,
        read: bool = True,
    ) -> Reply | TryAgain | Never:
        """The reply, whatever its status; TryAgain or Never where none came. Without `read` the body is left unread; with it,
        a success that breaks off is no reply."""
        asking.set(self._tenant_id)
        try:
            async with self._session.post(url, data=data, headers=headers, allow_redirects=False) as answer:
                body = await _body(answer) if read else None
                return Reply(answer.status, body, seconds_of(answer.headers.get("Retry-After"), now))
        except InsideError:
            return Never(REFUSED)
        except CrowdedError:
            return TryAgain(CROWDED, ours=True)
        except TimeoutError:
            return TryAgain(f"no answer within {self._session.timeout.total:g} s")
        except (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError):
            return Never("the address is no URL")
        # Before ValueError, which a bad certificate is too.
        except (aiohttp.ClientError, OSError) as error:
            return TryAgain(_failure(error))
        except ValueError:
            return Never("the request cannot be written: an address or a secret has characters that it may not have")


@asynccontextmanager
async def open_http(checked: bool, timeout_sec: float = TIMEOUT_SEC, look_up: LookUp = socket.getaddrinfo) -> AsyncIterator[Http]:
    """`checked` refuses addresses inside the network."""
    connector = aiohttp.TCPConnector(
        resolver=CheckedResolver(look_up) if checked else Resolver(look_up),
        socket_factory=checked_socket if checked else None,
        use_dns_cache=False,
        # The courier bounds what goes out at once, for each channel and tenant and in all. Who waited for a connection here would be
        # told that the receiver did not answer, and those who share a host (all that goes to Slack) would wait for each other.
        limit=0,
        limit_per_host=0,
    )
    async with aiohttp.ClientSession(
        connector=connector,
        timeout=aiohttp.ClientTimeout(total=timeout_sec),
        cookie_jar=aiohttp.DummyCookieJar(),
        # A proxy would make the checks of addresses for naught, and a .netrc knows nothing of tenants.
        trust_env=False,
        # What is small on the wire must not be large in memory.
        auto_decompress=False,
        read_bufsize=MOST_ANSWER_BYTES,
        headers={"User-Agent": "Fleetbeat", "Accept-Encoding": "identity"},
    ) as session:
        yield Http(session)


def answer_of(reply: Reply) -> Answer:
    """What a status means where the receiver says no more than that."""
    if reply.is_success:
        return Sent()
    if reply.status in AGAIN or reply.status >= 500:
        return TryAgain(f"answered {reply.status}", reply.retry_after)
    if 300 <= reply.status < 400:
        return Never(f"answered {reply.status}; redirects are not followed")
    return Never(f"answered {reply.status}")


def code_of(text: object) -> str | None:
    """The code of a vendor's error, where it is one: nothing else that a receiver wrote is repeated."""
    return text if isinstance(text, str) and _CODE.fullmatch(text) else None


def seconds_of(retry_after: str | None, now: datetime) -> float | None:
    """Retry-After is seconds, or a date."""
    if retry_after is None:
        return None
    if retry_after.isascii() and retry_after.isdigit():
        return float(retry_after[:9])
    try:
        at = parsedate_to_datetime(retry_after)
    except (ValueError, OverflowError):
        return None
    return max(0.0, ((at if at.tzinfo else at.replace(tzinfo=UTC)) - now).total_seconds())


async def _body(answer: aiohttp.ClientResponse) -> bytes | None:
    body = bytearray()
    try:
        async for chunk in answer.content.iter_any():
            body += chunk
            if len(body) > MOST_ANSWER_BYTES:
                return None
    except (aiohttp.ClientError, OSError):
        # What failed has failed; of a success we have to know what it says.
        if answer.ok:
            raise
        return None
    return bytes(body)


def _failure(error: Exception) -> str:
    """In our words: the library's name the address."""
    match error:
        case aiohttp.ClientSSLError():
            return "the receiver's certificate does not hold"
        case aiohttp.ClientConnectorDNSError() | socket.gaierror():
            return "the receiver's name is not known"
        case aiohttp.ClientConnectorError():
            return "no connection"
        case aiohttp.ClientPayloadError():
            return "the answer broke off"
        case aiohttp.ServerDisconnectedError() | ConnectionError():
            return "the connection was cut before an answer"
        case _:
            return "no proper answer"
