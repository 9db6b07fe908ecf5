"""Rolling up: five minutes once they are over, the hour once its last five minutes are, and again what late beats change."""

from collections.abc import AsyncIterator, Collection, Iterable
from datetime import datetime, timedelta

from app.context import Context
from app.domain.gathering import Gathering
from app.domain.ids import lane_of
from app.domain.rollup import READABLE, Place, Resolution, basis_of, floor_to, hours_of, spans_of, start_of
from app.domain.tenant import EVERY_TENANT
from app.metrics import note_metrics

MARK = "rollups"
"""Up to when the beats of a lane are rolled up, by when they came: always the end of a bucket."""

HOUR_MARK = "rollup_hours"
SETTLE = timedelta(minutes=1)
"""What came before the end of a bucket is stored by so long after it."""

SPREAD = 4
"""Lanes take turns, a minute each, or all of a fleet would be rolled up in the same one."""

MOST_STEPS = 288
"""Buckets that one job makes up for, after a standstill; the next one goes on."""

SHORTEST_RETENTION = timedelta(days=1)
"""No tenant's beats are kept for less: of anything younger all are there."""

FIVE_MINUTES, HOUR = Resolution.FIVE_MINUTES.span, Resolution.HOUR.span
PLACES = 500
HOURS = 100
"""Buckets, and hours, that are made at a time."""


async def roll_lane(context: Context, lane: int) -> int:
    """Lists new gauges, and rolls up what is over and not rolled up yet; how many roll-ups were written.

    Every bucket is made from all of its beats, so that doing it twice, or half and then again, changes nothing. The mark
    moves on only when everything before it is written.
    """
    await note_metrics(context, lane)
    horizon = floor_to(context.clock.now() - SETTLE - lane % SPREAD * timedelta(minutes=1), FIVE_MINUTES)
    mark, hour_mark = await _marks(context, lane, horizon)
    written = 0
    for _ in range(MOST_STEPS):
        if mark >= horizon:
            break
        touched = await _roll_received(context, lane, mark, hour_mark)
        written += touched
        mark = mark + FIVE_MINUTES if touched else await _next_with_beats(context, lane, mark + FIVE_MINUTES, horizon)
        if hour_mark + HOUR <= mark:
            written += await _close_hour(context, lane, hour_mark)
            # Nothing was sent in hours that were passed over.
            hour_mark = floor_to(mark, HOUR)
            await context.store.leases.advance(HOUR_MARK, lane, hour_mark)
        await context.store.leases.advance(MARK, lane, mark)
    return written


async def _marks(context: Context, lane: int, horizon: datetime) -> tuple[datetime, datetime]:
    """Where to go on: for five minutes, and for hours. The first time that is at the first beat that is kept."""
    mark = await context.store.leases.watermark(MARK, lane)
    if mark is None:
        mark = await _next_with_beats(context, lane, None, horizon)
        await context.store.leases.advance(MARK, lane, mark)
    hour_mark = await context.store.leases.watermark(HOUR_MARK, lane)
    if hour_mark is None:
        hour_mark = floor_to(mark, HOUR)
        await context.store.leases.advance(HOUR_MARK, lane, hour_mark)
    return mark, hour_mark


async def _next_with_beats(context: Context, lane: int, since: datetime | None, horizon: datetime) -> datetime:
    """When the first five minutes begin, not after the horizon, in which anything came."""
    first = await context.store.rollup_feed.first_received(lane, since)
    return horizon if first is None else min(horizon, floor_to(first, FIVE_MINUTES))


async def _roll_received(context: Context, lane: int, start: datetime, hour_mark: datetime) -> int:
    """Rolls up every bucket that a beat touched that came in the five minutes from `start`; closed hours of late ones too."""
    oldest = context.clock.now() - READABLE[Resolution.FIVE_MINUTES] - HOUR
    written = 0
    touched = context.store.rollup_feed.touched(lane, start, start + FIVE_MINUTES)
    async for tenant_id, places in _portions(touched, PLACES):
        # A beat that is older than anything that is still counted on stays a beat.
        wanted = [place for place in places if place[1] >= oldest]
        if not wanted:
            continue
        written += await _roll(context, tenant_id, wanted)
        hours = {(device_id, start_of(at, Resolution.HOUR)) for device_id, at in wanted}
        written += await _roll_hours(context, tenant_id, [hour for hour in hours if hour[1] < hour_mark])
    return written


async def _roll(context: Context, tenant_id: str, places: Collection[Place]) -> int:
    now = context.clock.now()
    spans = spans_of(places, Resolution.FIVE_MINUTES)
    bases = {}
    if min(at for _, at in places) < now - SHORTEST_RETENTION:
        async for kept in context.store.rollups.within(tenant_id, spans, Resolution.FIVE_MINUTES):
            basis = basis_of(kept, now)
            if basis is not None:
                bases[kept.place] = basis
    gathering = Gathering(bases)
    async for beat in context.store.rollup_feed.beats(tenant_id, spans):
        gathering.add(beat)
    rollups = gathering.rollups(tenant_id)
    await context.store.rollups.write(rollups)
    return len(rollups)


async def _close_hour(context: Context, lane: int, hour: datetime) -> int:
    """Rolls up an hour that has just ended, for every device of the lane that has a part of it."""
    tenants = [tenant.id for tenant in await context.store.tenants.list(EVERY_TENANT) if lane_of(tenant.id) == lane]
    written = 0
    devices = ((tenant_id, (device_id, hour)) async for tenant_id, device_id in context.store.rollup_feed.devices(tenants))
    async for tenant_id, places in _portions(devices, HOURS):
        written += await _roll_hours(context, tenant_id, places)
    return written


async def _roll_hours(context: Context, tenant_id: str, places: Iterable[Place]) -> int:
    wanted = sorted(places)
    written = 0
    for start in range(0, len(wanted), HOURS):
        spans = spans_of(wanted[start : start + HOURS], Resolution.HOUR)
        parts = [part async for part in context.store.rollups.within(tenant_id, spans, Resolution.FIVE_MINUTES)]
        hours = hours_of(parts)
        await context.store.rollups.write(hours)
        written += len(hours)
    return written


async def _portions(places: AsyncIterator[tuple[str, Place]], most: int) -> AsyncIterator[tuple[str, list[Place]]]:
    """So many at a time, of one tenant each; they come by tenant."""
    tenant_id, portion = "", list[Place]()
    async for tenant, place in places:
        if portion and (tenant != tenant_id or len(portion) == most):
            yield tenant_id, portion
            portion = []
        tenant_id = tenant
        portion.append(place)
    if portion:
        yield tenant_id, portion
