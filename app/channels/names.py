"""Looking up names, in threads of their own: the system's look-up cannot be broken off, and where a name's server is silent it
holds its thread long after everybody gave up. In the threads of the event loop it would hold up whoever else has a name to look up.
"""

import asyncio
import socket
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from contextvars import ContextVar
from functools import partial
from threading import Thread
from typing import Any

from aiohttp.abc import AbstractResolver, ResolveResult

AT_ONCE = 64
OF_ONE_TENANT = 8
MOST = 256
"""Names that are looked up at a time; who has so many that hang has no others looked up, and leaves the rest to others. When all
places are taken, who has none yet still gets one, up to the most."""

WAIT_SEC = 3.0
"""How long a name waits for its turn at most: names that are well take some milliseconds."""

LookUp = Callable[..., Sequence[tuple[Any, ...]]]
"""`socket.getaddrinfo`, or what stands in for it."""

asking: ContextVar[str] = ContextVar("asking", default="")
"""For which tenant a name is looked up: what calls a resolver says no more than the name."""

_Key = tuple[str, socket.AddressFamily]
_Flight = asyncio.Future[Sequence[tuple[Any, ...]]]


class CrowdedError(Exception):
    """Too many names are being looked up whose servers are silent."""


class Resolver(AbstractResolver):
    """Callers who want the same name at the same time share one look-up. Nothing is kept beyond it."""

    def __init__(self, look_up: LookUp = socket.getaddrinfo, wait_sec: float = WAIT_SEC) -> None:
        self._look_up = look_up
        self._wait_sec = wait_sec
        self._flights: dict[_Key, _Flight] = {}
        self._busy: Counter[str] = Counter()
        self._changed = asyncio.Event()

    async def resolve(self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC) -> list[ResolveResult]:
        """Raises OSError where the name is not known, and CrowdedError."""
        flight = await self._flight((host, family), asking.get())
        # Whoever gives up leaves the others' look-up alone.
        found = await asyncio.shield(flight)
        return [
            ResolveResult(hostname=host, host=str(address[0]), port=port, family=kind, proto=0, flags=socket.AI_NUMERICHOST)
            for kind, _, _, _, address in found
        ]

    async def close(self) -> None:
        """What hangs is not waited for: its thread ends by itself, or with the process."""

    async def _flight(self, key: _Key, tenant_id: str) -> _Flight:
        """The look-up that is under way, or a new one as soon as there is room. Nobody waits in another's line: who has
        room need not wait for who has none."""
        try:
            async with asyncio.timeout(self._wait_sec):
                while key not in self._flights and not self._has_room(tenant_id):
                    await self._changed.wait()
        except TimeoutError:
            raise CrowdedError from None
        return self._flights.get(key) or self._take_off(key, tenant_id)

    def _has_room(self, tenant_id: str) -> bool:
        share, most = (OF_ONE_TENANT, AT_ONCE) if self._busy[tenant_id] else (1, MOST)
        return len(self._flights) < most and self._busy[tenant_id] < share

    def _take_off(self, key: _Key, tenant_id: str) -> _Flight:
        loop = asyncio.get_running_loop()
        flight: _Flight = loop.create_future()
        flight.add_done_callback(lambda done: self._land(done, key, tenant_id))
        thread = Thread(target=self._ask, args=(key, flight, loop), name="look-up", daemon=True)
        try:
            thread.start()
        except RuntimeError:  # the system has no more threads
            flight.cancel()
            raise CrowdedError from None
        self._flights[key] = flight
        self._busy[tenant_id] += 1
        self._tell()
        return flight

    def _land(self, flight: _Flight, key: _Key, tenant_id: str) -> None:
        if self._flights.get(key) is not flight:
            return
        flight.exception()  # which nobody may be there to hear any more
        del self._flights[key]
        self._busy -= Counter((tenant_id,))  # which forgets who has none
        self._tell()

    def _tell(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    def _ask(self, key: _Key, flight: _Flight, loop: asyncio.AbstractEventLoop) -> None:
        """In a thread of its own."""
        host, family = key
        try:
            settle = partial(flight.set_result, self._look_up(host, None, family=family, type=socket.SOCK_STREAM))
        except Exception as error:  # noqa: BLE001 - whatever it is, it is for those who wait
            settle = partial(flight.set_exception, error)
        with suppress(RuntimeError):  # the loop was closed meanwhile
            loop.call_soon_threadsafe(settle)
