"""The roll: which tenants and devices there are, remembered briefly, so that a beat costs no question to the database."""

import asyncio
from collections.abc import Sequence

from app.domain.tenant import Tenant
from app.store.stores import Stores

TENANT_SEC = 2.0
DEVICE_SEC = 30.0
"""For how long a device that was retired or removed may still be taken for known where it does not beat by its own token."""

MOST = 500_000


class Roll:
    """Times are seconds of a monotonic clock."""

    def __init__(self) -> None:
        self._tenants: dict[str, tuple[float, Tenant]] = {}
        self._devices: dict[str, float] = {}
        self._asking: dict[str, asyncio.Task[Tenant | None]] = {}

    def recall(self, tenant_id: str, now: float) -> Tenant | None:
        """A tenant that was asked for a moment ago."""
        kept = self._tenants.get(tenant_id)
        return kept[1] if kept is not None and kept[0] > now else None

    async def tenant(self, store: Stores, tenant_id: str, now: float) -> Tenant | None:
        if (known := self.recall(tenant_id, now)) is not None:
            return known
        # All beats of a tenant that come while one of them asks wait for the same answer.
        if (asking := self._asking.get(tenant_id)) is not None:
            # Of a tenant that was just made, a question from before knows nothing.
            return await asyncio.shield(asking) or await self._ask(store, tenant_id, now)
        asking = self._asking[tenant_id] = asyncio.create_task(self._ask(store, tenant_id, now), name="roll")
        asking.add_done_callback(lambda _: self._asking.pop(tenant_id, None))
        return await asyncio.shield(asking)

    async def _ask(self, store: Stores, tenant_id: str, now: float) -> Tenant | None:
        tenant = await store.tenants.get(tenant_id)
        if tenant is None:
            return None  # not remembered: it may be made the next moment
        if len(self._tenants) >= MOST:
            self._tenants.clear()
        self._tenants[tenant_id] = (now + TENANT_SEC, tenant)
        return tenant

    async def learn(self, store: Stores, device_keys: Sequence[str], now: float) -> None:
        """Asks for many devices at once."""
        unknown = [key for key in set(device_keys) if self._devices.get(key, 0.0) <= now]
        if unknown:
            for key in await store.connectivity.known(unknown):
                self.note(key, now)

    def recalls(self, key: str, now: float) -> bool:
        """Whether a device was known a moment ago."""
        return self._devices.get(key, 0.0) > now

    async def knows(self, store: Stores, key: str, now: float) -> bool:
        await self.learn(store, [key], now)
        return self.recalls(key, now)

    def note(self, key: str, now: float) -> None:
        if len(self._devices) >= MOST:
            self._devices.clear()
        self._devices[key] = now + DEVICE_SEC

    def forget(self, key: str) -> None:
        self._devices.pop(key, None)
