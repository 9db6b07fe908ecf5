"""Fleetbeat's own API whose intake says yes at once, without the database: `python -m bench.peers.at_once`, settings as for
`fleetbeat api`. All before it (HTTP, sign-in, GraphQL, the use case) is the product's own.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

from app import main
from app.clock import Clock
from app.commands import api
from app.context import Context, open_context
from app.domain.device import DeviceStatus
from app.realtime.arrived_beat import ArrivedBeat
from app.realtime.intake import Intake
from app.settings import Settings
from app.store.connectivity import SeenDevice


class AtOnce(Intake):
    """Keeps nothing."""

    async def take(self, arrived: Sequence[ArrivedBeat]) -> dict[str, SeenDevice]:
        return {(seen := _seen(one)).id: seen for one in arrived}


def _seen(arrived: ArrivedBeat) -> SeenDevice:
    beat = arrived.beat
    return SeenDevice(
        id=arrived.key,
        tenant_id=beat.tenant_id,
        device_id=beat.device_id,
        status=DeviceStatus.ONLINE,
        since=beat.received_at,
        offline_after=120,
        wake_after=120,
    )


@asynccontextmanager
async def _context(settings: Settings, clock: Clock | None = None) -> AsyncIterator[Context]:
    async with open_context(settings, clock) as context:
        yield replace(context, intake=AtOnce(context.store, context.bus, context.clock))


if __name__ == "__main__":
    vars(main).update(open_context=_context)
    api.command(host=None, port=None, fd=None)
