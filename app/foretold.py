"""How many messages the alerts of a replay would have brought to each recipient."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from app.context import Context
from app.domain.foretelling import Foretelling, Recipient, recipients
from app.domain.replay import ReplayedAlert
from app.domain.rule import Rule
from app.domain.tenant import PLATFORM
from app.recipients import books_of

STEPS_AT_ONCE = 1_000
"""After so many steps others have their turn."""


async def foretold(
    context: Context, rule: Rule, alerts: Sequence[ReplayedAlert], span: tuple[datetime, datetime]
) -> list[tuple[str, int]]:
    """Who would have got messages, and how many for what was told in `span`; whoever got most comes first."""
    tenant_id = rule.tenant_id or PLATFORM
    book = (await books_of(context, [tenant_id]))[tenant_id]
    known: dict[object, int] = {}
    found: list[tuple[Recipient, int]] = []
    for one in recipients(book, rule, alerts):
        if one.alike not in known:
            known[one.alike] = await _messages(Foretelling(one, rule.severity, span))
        found.append((one, known[one.alike]))
    shared = Counter(one.channel.name for one, _ in found if one.channel.owner_id is None)
    counts = [(_key(one, shared), count) for one, count in found if count]
    return sorted(counts, key=lambda counted: (-counted[1], counted[0]))


async def _messages(foretelling: Foretelling) -> int:
    more = True
    while more:
        more = foretelling.run(STEPS_AT_ONCE)
        await asyncio.sleep(0)
    return len(foretelling.times)


def _key(one: Recipient, shared: Counter[str]) -> str:
    """Channels of the same name are told apart by their ids."""
    channel = one.channel
    if channel.owner_id is not None:
        return channel.owner_id
    return channel.name if shared[channel.name] == 1 else f"{channel.name} ({channel.id})"
