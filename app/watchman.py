"""Who watches the watchman: looks whether Fleetbeat itself is well, and says so by ways of its own.

One worker at a time looks, under a lease, beside the ticks and not as one of them: it has to see that they hang. What it
finds goes to the record as alerts of the platform, and straight to `PLATFORM_WEBHOOK_URL`; while it finds nothing, it calls
`DEADMAN_URL`, so that a monitor outside hears of Fleetbeat's own death by the calls that do not come.
"""

import asyncio
from collections.abc import Mapping
from datetime import datetime, timedelta
from uuid import uuid4

import msgspec
import structlog
from pydantic import SecretStr

from app.channels.outside import Outside, open_outside
from app.context import Context
from app.domain.ids import LANES
from app.domain.self_check import MOST_IN_VAIN, Facts, StreamFact, TickFact, is_well, troubles
from app.domain.watch import News, Ongoing, Telling, Watch, look, pinged, told, watched_since, written
from app.platform_alerts import keep_platform_alerts
from app.rule_tick import MARK
from app.system import oldest_delivery_sec

LOOK_EVERY_SEC = 5.0
PING_EVERY_SEC = 60.0
HOLD_SEC = 30.0
"""So long after its last look the place of a watchman that died is free."""

ROUND_SEC = 20.0
"""A round that takes longer is given up before another worker may begin one."""

MOST_AT_ONCE = 2
"""Tellings in a round: a receiver that answers slowly must not keep the alerts from being written."""

LEASE = "watchman"
_log = structlog.get_logger(__name__)


async def keep_watch(context: Context, ticks: Mapping[str, float]) -> None:
    """Looks until cancelled; `ticks` are the intervals of those that should run, in seconds."""
    async with open_outside() as outside:
        watchman = Watchman(context, ticks, outside)
        try:
            while True:
                await watchman.try_round()
                await asyncio.sleep(LOOK_EVERY_SEC)
        finally:
            await watchman.leave()


class Watchman:
    """One worker's watchman; it does something only while it is the one that holds the lease."""

    def __init__(
        self, context: Context, ticks: Mapping[str, float], outside: Outside, ping_every_sec: float = PING_EVERY_SEC
    ) -> None:
        self._context = context
        self._ticks = ticks
        self._outside = outside
        self._ping_every = timedelta(seconds=ping_every_sec)
        self._id = uuid4().hex
        self._said: dict[str, str | None] = {}

    async def try_round(self) -> None:
        """A round, whatever goes wrong in it: without a database nothing is known, and so nobody is told that all is well."""
        try:
            async with asyncio.timeout(ROUND_SEC):
                await self.round()
        except Exception as error:  # noqa: BLE001 - said, and tried again at the next look
            self._say("watchman.blind", type(error).__name__)
        else:
            self._say("watchman.blind", None)

    async def round(self) -> bool:
        """Looks, and says what there is to say; False where another worker is the one that does."""
        now = self._context.clock.now()
        if not await self._context.store.leases.hold(LEASE, self._id, now, HOLD_SEC):
            return False
        before = await self._context.store.watch.get()
        facts = await gather_facts(self._context, self._ticks, watched_since(before, now))
        found = troubles(facts, now)
        watch = look(before, found, self._context.settings.platform_webhook_url is not None, now)
        if not await self._context.store.watch.keep(watch, None if before is None else before.looked_at):
            return False
        watch = await self._tell(watch)
        if is_well(facts, now):
            watch = await self._ping(watch)
        # Last, since it may be what hangs.
        if watch.ongoing or watch.ended:
            await keep_platform_alerts(self._context, watch, now)
            await self._keep(written(watch))
        return True

    async def leave(self) -> None:
        """Lets another worker look at once."""
        await self._context.store.leases.release(LEASE, self._id, self._context.clock.now())

    async def _tell(self, watch: Watch) -> Watch:
        """Tells in order; after one that was not taken the others wait."""
        for telling in watch.tellings[:MOST_AT_ONCE]:
            error = await self._outside.post(_url(self._context.settings.platform_webhook_url), *_request(telling))
            self._say("platform_webhook.failing", error)
            if error is not None:
                break
            watch = told(watch, telling)
            await self._keep(watch)
        return watch

    async def _ping(self, watch: Watch) -> Watch:
        url, now = self._context.settings.deadman_url, self._context.clock.now()
        # Half a look of slack: two rounds are never exactly so far apart.
        early = timedelta(seconds=LOOK_EVERY_SEC / 2)
        if url is None or (watch.pinged_at is not None and now - watch.pinged_at < self._ping_every - early):
            return watch
        error = await self._outside.get(_url(url))
        self._say("deadman.failing", error)
        if error is not None:
            return watch
        watch = pinged(watch, now)
        await self._keep(watch)
        return watch

    async def _keep(self, watch: Watch) -> None:
        await self._context.store.watch.keep(watch, watch.looked_at)

    def _say(self, event: str, error: str | None) -> None:
        """Says a failure once, and once that it is over."""
        if self._said.get(event) == error:
            return
        self._said[event] = error
        if error is None:
            _log.info(event, over=True)
        else:
            _log.warning(event, error=error)


async def gather_facts(context: Context, ticks: Mapping[str, float], since: datetime) -> Facts:
    """What the database tells of Fleetbeat; `ticks` are the intervals of those that should run, in seconds."""
    now = context.clock.now()
    records = {record.name: record for record in await context.store.leases.ticks()}
    marks = await context.store.leases.watermarks(MARK)
    signs = await context.store.intakes.signs()
    alive = await context.store.intakes.alive(now)
    return Facts(
        watched_since=since,
        ticks=tuple(
            TickFact(
                name=name,
                interval_sec=interval,
                ended_at=records[name].last_good_at if name in records else None,
                error=records[name].last_error if name in records else None,
            )
            for name, interval in ticks.items()
        ),
        rule_tick_sec=context.settings.rule_tick_seconds,
        judged_until=min(marks.values()) if len(marks) == LANES else None,
        oldest_delivery_sec=await oldest_delivery_sec(context),
        taken_in_vain=await context.store.delivery_figures.taken_in_vain(MOST_IN_VAIN),
        streams=tuple(StreamFact(process=record.id, behind_sec=record.stream_lag_sec) for record in alive),
        api_alive_at=None if signs is None else signs.alive_at,
    )


def _request(telling: Telling) -> tuple[bytes, dict[str, str]]:
    body = {
        "event": telling.news.value,
        "text": _text(telling),
        "troubles": [_shown(one) for one in telling.troubles],
        "at": telling.at,
    }
    return msgspec.json.encode(body), {"Content-Type": "application/json", "Idempotency-Key": telling.id}


def _text(telling: Telling) -> str:
    said = "; ".join(one.trouble.text for one in telling.troubles)
    return (
        f"Fleetbeat is in trouble: {said}" if telling.news is News.TROUBLE else f"Fleetbeat is well again; this is over: {said}"
    )


def _shown(one: Ongoing) -> dict[str, object]:
    trouble = one.trouble
    return {
        "rule": trouble.rule_key,
        "subject": trouble.subject,
        "message": trouble.text,
        "since": one.since,
        "alertId": one.alert_id,
    }


def _url(setting: SecretStr | None) -> str:
    return "" if setting is None else setting.get_secret_value()
