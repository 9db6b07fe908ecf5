"""Two tenants without a channel, where only addresses outside the network are taken."""

from collections.abc import AsyncIterator

import pytest

from app.context import Context
from app.domain.tenant import Member
from tests.cast import NOW, both, mate, open_test_context, outsider, owner, viewer


@pytest.fixture
async def context(mongo_uri: str, redis_url: str, database: str) -> AsyncIterator[Context]:
    async with open_test_context(mongo_uri, redis_url, database) as context:
        for who in (owner, mate, viewer, both, outsider):
            assert who.role is not None
            member = Member(id=who.id, email=who.email, role=who.role, tenant_ids=sorted(who.tenant_ids or ()), last_seen=NOW)
            await context.store.members.note(member)
        yield context
