"""A gateway that beats for a fleet over API processes in turn, and sends again what was not acknowledged."""

import asyncio
import contextlib
import itertools
import random
from collections.abc import Sequence

import aiohttp
import msgspec

from bench.fleet import BEATS, beat_input, body

_AGAIN_SEC = 0.2
_CALL_SEC = 10.0


class Gateway:
    """It beats for everybody each `every_sec`, in calls of `batch`. `acknowledged` are (device, sequence) of all beats that an API has answered for; `longest_wait_sec` is how long the
    slowest call took from its first try to its acknowledgement."""

    def __init__(
        self, ports: Sequence[int], tenant_id: str, authorization: str, devices: Sequence[str], every_sec: float, batch: int
    ) -> None:
        self.silent: set[str] = set()
        self.acknowledged: set[tuple[str, int]] = set()
        self.longest_wait_sec = 0.0
        self.refused = 0
        self.rounds = 0
        self._urls = itertools.cycle([f"http://127.0.0.1:{port}/graphql" for port in ports])
        self._headers = {"authorization": authorization, "content-type": "application/json"}
        self._tenant_id = tenant_id
        self._groups = [list(devices[start : start + batch]) for start in range(0, len(devices), batch)]
        self._pause = every_sec / len(self._groups)
        self._turned = asyncio.Condition()

    async def run(self) -> None:
        """Beats until cancelled, evenly over time. A call that waits for its acknowledgement keeps no other waiting."""
        chance, loop = random.Random(2026), asyncio.get_running_loop()
        async with aiohttp.ClientSession(headers=self._headers) as session, asyncio.TaskGroup() as calls:
            began = loop.time()
            for number in itertools.count():
                await asyncio.sleep(began + number * self._pause - loop.time())
                if number % len(self._groups) == 0:
                    async with self._turned:
                        self.rounds += 1
                        self._turned.notify_all()
                ids = [one for one in self._groups[number % len(self._groups)] if one not in self.silent]
                inputs = [beat_input(self._tenant_id, one, number, chance) for one in ids]
                if ids:
                    calls.create_task(self._until_acknowledged(session, body(BEATS, {"inputs": inputs}), ids, number))

    async def until_rounds(self, more: int) -> None:
        """Until so many more rounds have begun."""
        wanted = self.rounds + more
        async with self._turned:
            await self._turned.wait_for(lambda: self.rounds >= wanted)

    async def _until_acknowledged(self, session: aiohttp.ClientSession, call: str, ids: Sequence[str], number: int) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        while not await self._taken(session, call, len(ids)):
            self.refused += 1
            await asyncio.sleep(_AGAIN_SEC)
        self.longest_wait_sec = max(self.longest_wait_sec, loop.time() - began)
        self.acknowledged |= {(one, number) for one in ids}

    async def _taken(self, session: aiohttp.ClientSession, call: str, count: int) -> bool:
        with contextlib.suppress(aiohttp.ClientError, TimeoutError, msgspec.MsgspecError):
            async with (
                asyncio.timeout(_CALL_SEC),
                session.post(next(self._urls), data=call) as answer,
            ):
                said = msgspec.json.decode(await answer.read())
            return not said.get("errors") and said["data"]["heartbeats"]["accepted"] == count
        return False
