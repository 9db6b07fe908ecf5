"""Two who want the same of an alert at once: one has it, the other is told who."""

import asyncio
import threading
from datetime import datetime

import pytest
from pymongo.monitoring import CommandFailedEvent

from app.alert_actions import acknowledge_alert, resolve_alert
from app.clock import ManualClock
from app.context import Context, open_context
from app.domain.alert import Alert, AlertStatus, Resolution
from app.errors import ConflictError
from tests.alerts.world import kept, opened, told
from tests.cast import NOW, mate, open_test_context, owner
from tests.counting import failures

WRITE_CONFLICT = 112
PATIENCE_SEC = 10


class HoldingClock(ManualClock):
    """Stops whoever asks for the time inside its transaction until it is let go. It is asked once before, to check `until`."""

    def __init__(self, start: datetime) -> None:
        super().__init__(start)
        self.asked = 0
        self.armed = False
        self.holds = threading.Event()
        self.let_go = threading.Event()

    def now(self) -> datetime:
        if self.armed:
            self.asked += 1
            if self.asked == 2:
                self.holds.set()
                assert self.let_go.wait(PATIENCE_SEC)
        return super().now()


async def test_of_two_processes_that_acknowledge_at_once_one_wins(mongo_uri: str, redis_url: str, database: str) -> None:
    clock = HoldingClock(NOW)

    def let_go(event: CommandFailedEvent) -> None:
        if event.failure.get("code") == WRITE_CONFLICT:
            clock.let_go.set()

    async with open_test_context(mongo_uri, redis_url, database, clock) as context:
        alert = await opened(context)

        async def second() -> Alert:
            # With a loop and a client of its own, as another process has: no lock of ours is between the two.
            async with open_context(context.settings, ManualClock(NOW)) as other:
                assert clock.holds.wait(PATIENCE_SEC)
                return await acknowledge_alert(other, owner, alert.id, None, None, None)

        clock.armed = True
        with failures(let_go):
            other = asyncio.create_task(asyncio.to_thread(asyncio.run, second()))
            await asyncio.sleep(0)
            mine = await acknowledge_alert(context, mate, alert.id, None, None, None)
            with pytest.raises(ConflictError, match="it is ACKNOWLEDGED by mats at version 2"):
                await other
        assert mine.acknowledged_by == "mats"
        assert await kept(context, alert) == mine
        assert [event.type.name for event in await told(context, alert)] == ["OPENED", "ACKNOWLEDGED"]


async def test_of_many_at_once_one_wins(context: Context) -> None:
    alert = await opened(context)
    acknowledged = [acknowledge_alert(context, mate, alert.id, None, None, None) for _ in range(5)]
    resolved = [resolve_alert(context, owner, alert.id, "fixed", Resolution.MANUAL, None) for _ in range(5)]
    outcomes = await asyncio.gather(*acknowledged, *resolved, return_exceptions=True)
    assert sum(isinstance(one, ConflictError) for one in outcomes) == 10 - len(await told(context, alert)) + 1
    won = [one for one in outcomes if isinstance(one, Alert)]
    assert [one.status for one in won].count(AlertStatus.RESOLVED) == 1
    assert [one.status for one in won].count(AlertStatus.ACKNOWLEDGED) <= 1
    assert (await kept(context, alert)).version == 1 + len(won)
