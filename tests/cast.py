"""The cast of the tests: two tenants, the people in and around them, and a context over a database of their own.

`acme` has an owner, a mate and a viewer; the outsider is an admin too, but of `umbrella`; root sees everybody.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt

from app.clock import Clock, ManualClock
from app.context import Context, open_context
from app.domain.tenant import Role, Tenant
from app.principal import Principal, PrincipalKind
from app.seed import seed_documents
from app.settings import Settings
from app.store.indexes import ensure_collections

NOW = datetime(2026, 11, 21, 6, 0, tzinfo=UTC)
SECRET = "a secret for the tests, which is long enough"
TENANTS = ("acme", "umbrella")


def person(name: str, role: Role, *tenant_ids: str) -> Principal:
    tenants = None if role is Role.SUPER_ADMIN else frozenset(tenant_ids)
    return Principal(PrincipalKind.PERSON, name, role, tenants, email=f"{name}@example.com", ip="192.0.2.7")


owner = person("olga", Role.ADMIN, "acme")
mate = person("mats", Role.OPERATOR, "acme")
viewer = person("vera", Role.VIEWER, "acme")
outsider = person("otto", Role.ADMIN, "umbrella")
both = person("bea", Role.ADMIN, "acme", "umbrella")
root = person("root", Role.SUPER_ADMIN)


def as_key(token: str) -> str:
    """An API key as it comes in its own header."""
    return f"X-API-Key {token}"


def bearer(principal: Principal, expires_at: datetime = NOW + timedelta(hours=1), **claims: Any) -> str:
    """The Authorization header of a person; `claims` are added to the token's, or replace them."""
    said = {
        "sub": principal.id,
        "role": principal.role.value if principal.role else None,
        "tenants": sorted(principal.tenant_ids or ()),
        "email": principal.email,
        "exp": int(expires_at.timestamp()),
    }
    return f"Bearer {jwt.encode({**said, **claims}, SECRET, algorithm='HS256')}"


_ENSURED: set[str] = set()
"""Databases that have their collections and indexes: they are emptied, never dropped, while their name is used."""


@asynccontextmanager
async def open_test_context(
    mongo_uri: str, redis_url: str, database: str, clock: Clock | None = None, **settings: Any
) -> AsyncIterator[Context]:
    """A context over a fresh database that is seeded and has the two tenants. Time stands still at NOW until it is moved."""
    values = {"jwt_secret": SECRET, "mongo_uri": mongo_uri, "redis_url": redis_url, "mongo_database": database, **settings}
    async with open_context(Settings(**values), clock or ManualClock(NOW)) as context:
        if database not in _ENSURED:
            await ensure_collections(context.mongo)
            _ENSURED.add(database)
        await seed_documents(context)
        for tenant_id in TENANTS:
            tenant = Tenant(id=tenant_id, name=tenant_id.capitalize(), created_at=context.clock.now())
            await context.store.tenants.insert(tenant)
        yield context
