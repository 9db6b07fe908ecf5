"""Which tenants there are is asked once for all beats that come together."""

import asyncio

from app.context import Context
from app.domain.tenant import Tenant
from tests.cast import NOW
from tests.counting import counted


async def test_beats_that_come_together_ask_for_their_tenant_once(context: Context, database: str) -> None:
    with counted(database) as commands:
        found = await asyncio.gather(*(context.intake.roll.tenant(context.store, "acme", 0.0) for _ in range(20)))
    assert {tenant.id for tenant in found if tenant is not None} == {"acme"}
    assert commands == ["find"]


async def test_a_tenant_that_was_just_made_is_found(context: Context) -> None:
    roll = context.intake.roll
    assert await roll.tenant(context.store, "fresh", 0.0) is None
    await context.store.tenants.insert(Tenant(id="fresh", name="Fresh", created_at=NOW))
    found = await asyncio.gather(*(roll.tenant(context.store, "fresh", 0.0) for _ in range(3)))
    assert [tenant and tenant.id for tenant in found] == ["fresh"] * 3
