"""What a use case works with, wired once at start."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from app.clock import Clock, DatabaseClock
from app.credentials import Credentials
from app.domain.windows import Windows
from app.errands import Errands
from app.realtime.bus import Bus, open_bus
from app.realtime.event_intake import EventIntake
from app.realtime.intake import Intake
from app.settings import Settings
from app.store.mongo import Mongo, connect
from app.store.stores import Stores, open_stores


@dataclass(frozen=True, slots=True)
class Context:
    """Settings, time, the store, the bus, the intakes of beats and events, known credentials, errands, and windows of gauges: all that a process shares between its calls."""

    settings: Settings
    clock: Clock
    mongo: Mongo
    store: Stores
    bus: Bus
    intake: Intake
    event_intake: EventIntake
    credentials: Credentials
    errands: Errands
    windows: Windows

    async def correct_clock(self) -> None:
        """Follows the database's time, where time is the database's."""
        if isinstance(self.clock, DatabaseClock):
            await self.mongo.correct(self.clock)


@asynccontextmanager
async def open_context(settings: Settings, clock: Clock | None = None) -> AsyncIterator[Context]:
    """Opens everything and closes it in order. Without a clock, time is the database's."""
    mongo = connect(settings.mongo_uri, settings.mongo_database)
    bus = open_bus(settings.redis_url)
    try:
        if clock is None:
            clock = DatabaseClock()
            await mongo.correct(clock)
        store = open_stores(mongo)
        intake, event_intake = Intake(store, bus, clock), EventIntake(mongo, store, clock)
        try:
            yield Context(
                settings,
                clock,
                mongo,
                store,
                bus,
                intake,
                event_intake,
                Credentials(settings, store.devices.by_token_ids),
                Errands(),
                Windows(),
            )
        finally:
            await intake.drain()
            await event_intake.drain()
    finally:
        await bus.close()
        mongo.close()
