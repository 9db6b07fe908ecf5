"""The clocks of devices, as this process has come to know them."""

from datetime import datetime, timedelta

from app.domain.clock_skew import LATE, Clock, Place, follow
from app.store.stores import Stores

MOST = 500_000


class Clocks:
    """Learns from the beats of this process, and asks the database only where a device that it does not know seems late."""

    def __init__(self) -> None:
        self._clocks: dict[str, Clock] = {}

    async def place(self, store: Stores, key: str, sent_at: datetime | None, now: datetime) -> tuple[Place, float | None]:
        """The place of a beat in history, and the device's skew in seconds where the beat speaks of it."""
        if sent_at is None:
            return Place(now, late=False), None
        known = self._clocks.get(key)
        if known is None:
            known = Clock(skew=await _kept_skew(store, key) if now - sent_at > LATE else None)
        if len(self._clocks) >= MOST:
            self._clocks.clear()
        clock, place = follow(known, sent_at, now)
        self._clocks[key] = clock
        skew = None if place.late or clock.skew is None else round(clock.skew.total_seconds(), 3)
        return place, skew


async def _kept_skew(store: Stores, key: str) -> timedelta | None:
    seen = (await store.connectivity.profiles([key])).get(key)
    return None if seen is None or seen.clock_skew_sec is None else timedelta(seconds=seen.clock_skew_sec)
