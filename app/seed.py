"""What a fresh database needs: collections, indexes, the platform's own tenant, and the rules that everybody inherits."""

import structlog

from app.context import Context, open_context
from app.domain.defaults import platform_rules
from app.domain.tenant import EVERY_TENANT, PLATFORM, Tenant
from app.evaluation import refresh_wake_ups
from app.settings import Settings
from app.store.indexes import ensure_collections

_log = structlog.get_logger(__name__)


async def seed(settings: Settings) -> None:
    """Adds what is missing and changes nothing that somebody set."""
    async with open_context(settings) as context:
        await seed_context(context)


async def seed_context(context: Context) -> None:
    await ensure_collections(context.mongo)
    await seed_documents(context)


async def seed_documents(context: Context) -> None:
    """The platform's tenant and rules, in collections that are there."""
    now = context.clock.now()
    if await context.store.tenants.get(PLATFORM) is None:
        await context.store.tenants.insert(Tenant(id=PLATFORM, name="Platform", created_at=now))
    rules = platform_rules(context.settings.sync_lag_warn_seconds, now)
    added = await context.store.rules.add_defaults(rules)
    # The setting may have changed since the last start: devices that follow it have to.
    await refresh_wake_ups(context, EVERY_TENANT)
    _log.info("seeded", rules=added)
