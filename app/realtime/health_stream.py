"""The health of devices as it changes: state, not log. The newest state of a device replaces one that still waits."""

from collections.abc import AsyncGenerator, Iterable
from dataclasses import dataclass

from app.domain.beat import HealthStatus
from app.domain.health_filter import HealthFilter
from app.domain.tenant import Scope
from app.principal import Principal, read_scope
from app.realtime.device_feed import DeviceState, FellBehindError
from app.realtime.hub import Hub
from app.realtime.wakes import nap

SNAPSHOT = 5_000
"""Devices in the first picture."""

_KNOWN = 50_000


@dataclass(frozen=True, slots=True)
class HealthChange:
    """A device as it is, and what health this subscriber saw of it last: UNKNOWN where it saw none."""

    state: DeviceState
    previous: HealthStatus


async def health_updates(hub: Hub, principal: Principal, chosen: HealthFilter) -> AsyncGenerator[HealthChange, None]:
    """Goes on until the hub stops."""
    scope = read_scope(principal, chosen.tenant_id)
    with hub.subscribed(), hub.devices.watching(scope) as news:
        view = _View(hub, scope, chosen)
        await view.begin()
        while not hub.is_stopping():
            news.clear()
            await view.catch_up()
            while not hub.is_stopping() and (change := view.take()) is not None:
                yield change
                await view.catch_up()
            await nap(news, None)


class _View:
    """What one subscriber has seen, and what waits for it: one state a device, so it is bounded by the fleet."""

    def __init__(self, hub: Hub, scope: Scope, chosen: HealthFilter) -> None:
        self._hub = hub
        self._scope = scope
        self._chosen = chosen
        self._number = hub.devices.number
        self._read_before = -1
        self._seen: dict[str, HealthStatus] = {}
        self._waiting: dict[str, DeviceState] = {}
        self._unconditional: set[str] = set()

    async def begin(self) -> None:
        """The first picture, and what transitions are measured against."""
        if self._chosen.snapshot or self._chosen.only_transitions:
            states = await self._read_all(_KNOWN if self._chosen.only_transitions else SNAPSHOT)
            shown = states[:SNAPSHOT] if self._chosen.snapshot else []
            self._waiting = {state.device.id: state for state in shown}
            self._unconditional = set(self._waiting)
            self._seen = {state.device.id: state.health for state in states[len(shown) :]}

    async def catch_up(self) -> None:
        """Takes over what changed; a state that still waits gives way to a newer one."""
        if self._hub.devices.number == self._number:
            return
        try:
            states = self._hub.devices.since(self._scope, self._number)
            self._number = self._hub.devices.number
        except FellBehindError:
            self._put(await self._read_all(_KNOWN))
        else:
            # What was read before our own last reading is older than what that found.
            self._put(state for state in states if state.turn > self._read_before)

    def take(self) -> HealthChange | None:
        """The next state to show; None where nothing waits."""
        while self._waiting:
            key = next(iter(self._waiting))
            state = self._waiting.pop(key)
            previous = self._seen.get(key, HealthStatus.UNKNOWN)
            self._seen[key] = state.health
            if key in self._unconditional:
                self._unconditional.discard(key)
                # Nothing was seen of it before, whatever changed while it waited.
                return HealthChange(state, HealthStatus.UNKNOWN)
            if state.health is not previous or not self._chosen.only_transitions:
                return HealthChange(state, previous)
        return None

    def _put(self, states: Iterable[DeviceState]) -> None:
        for state in states:
            if self._chosen.selects(state.device):
                self._waiting[state.device.id] = state

    async def _read_all(self, most: int) -> list[DeviceState]:
        feed, chosen = self._hub.devices, self._chosen
        self._number, self._read_before = feed.number, feed.turn
        devices = await self._hub.store.devices.choose(self._scope, chosen.device_ids, chosen.store_ids, most)
        return await feed.measure(devices, feed.turn)
