"""Calls to the addresses that the operator chose for what Fleetbeat says of itself: they are not checked, and never shown."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import aiohttp

TIMEOUT_SEC = 5.0


class Outside:
    """Calls, and follows nobody anywhere. It raises nothing: what went wrong is said in our own words."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def get(self, url: str) -> str | None:
        """None where the answer was a success."""
        return await self._ask("GET", url)

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> str | None:
        """None where it was taken."""
        return await self._ask("POST", url, body, headers)

    async def _ask(
        self, method: str, url: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> str | None:
        try:
            async with self._session.request(method, url, data=body, headers=headers, allow_redirects=False) as answer:
                return None if 200 <= answer.status < 300 else f"answered {answer.status}"
        except TimeoutError:
            return f"no answer within {TIMEOUT_SEC:.0f} s"
        except (aiohttp.InvalidURL, ValueError):
            return "the address is no URL"
        except (aiohttp.ClientError, OSError):
            return "no connection, or no proper answer"


@asynccontextmanager
async def open_outside() -> AsyncIterator[Outside]:
    async with aiohttp.ClientSession(
        timeout=aiohttp.ClientTimeout(total=TIMEOUT_SEC),
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"User-Agent": "Fleetbeat"},
    ) as session:
        yield Outside(session)
