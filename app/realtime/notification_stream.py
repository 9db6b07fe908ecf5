"""What a person is told inside Fleetbeat, as it is told, each once."""

from collections.abc import AsyncGenerator, Sequence

import structlog

from app.domain.notification import InAppNotification
from app.principal import Principal, require_person
from app.realtime.hub import Hub
from app.realtime.wakes import nap
from app.store.mongo import is_away
from app.store.notifications import LOOK_BACK

PAGE = 100
_AGAIN_AFTER_SEC = 0.5
_log = structlog.get_logger(__name__)


async def notification_stream(hub: Hub, principal: Principal) -> AsyncGenerator[InAppNotification, None]:
    """The caller's own from now on, in the order in which they were written. Goes on until the hub stops."""
    user_id = require_person(principal)
    with hub.subscribed(), hub.notifications.wakes.sleeper((user_id,)) as news:
        await hub.notifications.ready.wait()
        reader = _Reader(hub, principal)
        while not hub.is_stopping():
            news.clear()
            page = await reader.read()
            for one in page:
                yield one
                if hub.is_stopping():
                    return
            if not page:
                await nap(news, None)


class _Reader:
    """A place in what a person was told: how far it was read, and what is known from shortly before that on."""

    def __init__(self, hub: Hub, principal: Principal) -> None:
        self._hub = hub
        self._principal = principal
        self._head = hub.notifications.head
        self._known = dict(hub.notifications.recent(principal.id))

    async def read(self) -> Sequence[InAppNotification]:
        """The next page, in order; empty at the head."""
        since = None if self._head is None else self._head - LOOK_BACK
        self._known = {key: at for key, at in self._known.items() if since is None or at >= since}
        while True:
            try:
                page = await self._hub.store.notifications.written(
                    self._principal.scope, self._principal.id, since, self._known, PAGE
                )
                break
            except Exception as error:
                if self._hub.is_stopping() or not is_away(error):
                    raise
                _log.warning("notification_stream.database_away", error=type(error).__name__)
                await nap(self._hub.ending, _AGAIN_AFTER_SEC)
        for one in page:
            if one.written_at is not None:
                self._known[one.id] = one.written_at
                self._head = max(self._head or one.written_at, one.written_at)
        return page
