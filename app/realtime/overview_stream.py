"""A picture of the whole that is drawn again when something in it may have changed."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Hashable
from operator import eq
from typing import TypeVar

from app.domain.tenant import Scope, lanes_of
from app.realtime.hub import Hub
from app.realtime.wakes import nap

Picture = TypeVar("Picture")

AT_MOST_EVERY_SEC = 1.0
AT_LEAST_EVERY_SEC = 5.0
_YOUNG_SEC = 0.25


async def pictures(
    hub: Hub,
    scope: Scope,
    question: Hashable,
    read: Callable[[], Awaitable[Picture]],
    same: Callable[[Picture, Picture], bool] = eq,
) -> AsyncGenerator[Picture, None]:
    """What `read` gives: first at once, then when it is not the `same`, and at least every 5 s.

    Callers with the same `question` share the readings, so it has to say everything that the picture depends on.
    """
    loop = asyncio.get_running_loop()
    shown: Picture | None = None
    shown_at = not_before = loop.time() - _YOUNG_SEC
    with (
        hub.subscribed(),
        hub.follower.wakes.sleeper(lanes_of(scope)) as news,
        hub.health_wakes.sleeper(scope.tenant_ids, news),
    ):
        while not hub.is_stopping():
            news.clear()
            picture = await hub.reads.ask((scope, question), read, not_before)
            if shown is None or not same(shown, picture) or loop.time() - shown_at >= AT_LEAST_EVERY_SEC:
                shown, shown_at = picture, loop.time()
                yield picture
            await nap(hub.ending, AT_MOST_EVERY_SEC)
            await nap(news, shown_at + AT_LEAST_EVERY_SEC - loop.time())
            not_before = loop.time()
