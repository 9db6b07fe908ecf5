"""Time is the database's."""

from datetime import UTC, datetime, timedelta

from app.clock import DatabaseClock
from app.store.mongo import connect


async def test_the_clock_follows_the_database(mongo_uri: str, database: str) -> None:
    mongo, clock = connect(mongo_uri, database), DatabaseClock()
    clock.correct(datetime(2001, 1, 1, tzinfo=UTC), 0, 0)
    await mongo.correct(clock)
    mongo.close()
    # The database of this test is on this host, so both have the same time.
    assert abs(clock.now() - datetime.now(UTC)) < timedelta(seconds=5)
    assert clock.now().microsecond % 1000 == 0
