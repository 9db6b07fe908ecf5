"""Working off the outbox: tenants in turn, each with a bounded share, so that a slow receiver holds up nobody else."""

import asyncio
from collections import Counter, deque
from collections.abc import Sequence
from weakref import WeakKeyDictionary

import structlog

from app.channels.ways import Ways, open_ways
from app.context import Context
from app.delivering import deliver_one
from app.domain.delivery import Delivery

AT_ONCE = 32
OF_ONE_TENANT = 8
PAGE = 200

_log = structlog.get_logger(__name__)
_runs: "WeakKeyDictionary[asyncio.AbstractEventLoop, dict[int, _Run]]" = WeakKeyDictionary()


async def deliver(context: Context, lane: int) -> int:
    """Sends what is due in every lane; how many were tried. While this process is at it already, it is only told to look
    again: jobs that wait for receivers must not fill a worker. `lane` says who asks."""
    runs = _runs.setdefault(asyncio.get_running_loop(), {})
    if (running := runs.get(id(context.store))) is not None:
        running.look_again()
        return 0
    run = runs[id(context.store)] = _Run(context)
    try:
        await run.work_off()
        while run.asked_again():
            await run.work_off()
        return run.tried
    finally:
        del runs[id(context.store)]


async def lanes_to_deliver(context: Context) -> set[int]:
    return await context.store.deliveries.lanes_due(context.clock.now())


class _Run:
    """One go at the outbox."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._tasks: dict[asyncio.Task[bool], Delivery] = {}
        self._again = asyncio.Event()
        self.tried = 0

    def look_again(self) -> None:
        self._again.set()

    def asked_again(self) -> bool:
        return self._again.is_set()

    async def work_off(self) -> None:
        async with open_ways(self._context.settings) as ways:
            try:
                while True:
                    while await self._begin(ways):
                        pass  # whose share is full is left out next time, so that others come up
                    if not self._tasks and not self._again.is_set():
                        return
                    await self._until_something_changes()
            finally:
                for task in self._tasks:
                    task.cancel()
                await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _begin(self, ways: Ways) -> int:
        """Begins as many as there is room for; how many."""
        self._again.clear()
        room = AT_ONCE - len(self._tasks)
        if room <= 0:
            return 0
        busy = Counter(one.tenant_id for one in self._tasks.values())
        full = [tenant_id for tenant_id, count in busy.items() if count >= OF_ONE_TENANT]
        on_the_way = {one.id for one in self._tasks.values()}
        due = await self._context.store.deliveries.due(self._context.clock.now(), PAGE, full)
        chosen = in_turn([one for one in due if one.id not in on_the_way], busy, room)
        for one in chosen:
            self._tasks[asyncio.create_task(deliver_one(self._context, ways, one))] = one
        return len(chosen)

    async def _until_something_changes(self) -> None:
        if not self._tasks:
            return
        again = asyncio.create_task(self._again.wait())
        try:
            done, _ = await asyncio.wait([*self._tasks, again], return_when=asyncio.FIRST_COMPLETED)
        finally:
            again.cancel()
        for task in done - {again}:
            one = self._tasks.pop(task)
            if (error := task.exception()) is not None:
                # Its lease ends, and it is tried again.
                _log.error("delivery.failed", delivery=one.id, tenant=one.tenant_id, error=type(error).__name__)
            elif task.result():
                self.tried += 1


def in_turn(due: Sequence[Delivery], busy: Counter[str], room: int) -> list[Delivery]:
    """One of each tenant after the other, up to each one's share and the room there is."""
    waiting: dict[str, deque[Delivery]] = {}
    for one in due:
        waiting.setdefault(one.tenant_id, deque()).append(one)
    chosen, count = list[Delivery](), Counter(busy)
    while waiting and len(chosen) < room:
        for tenant_id in list(waiting):
            if count[tenant_id] >= OF_ONE_TENANT or not waiting[tenant_id]:
                del waiting[tenant_id]
            elif len(chosen) < room:
                chosen.append(waiting[tenant_id].popleft())
                count[tenant_id] += 1
    return chosen
