"""Runs a simulated fleet: each device on its own rhythm, within a limit of time or beats."""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random
from typing import Any

from app.simulation.fleet import SimulatedDevice
from app.simulation.scenarios import Line, Scenario, moment
from app.simulation.tally import Tally
from app.simulation.wire import BEAT, BEATS, NoAnswerError, RefusedError, Wire, device, person

_GATHER_SEC = 0.2
_MOST_AT_ONCE = 500
_SHOW_EVERY_SEC = 0.5

Beat = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Course:
    """How a run goes. `seconds` None runs until it is cancelled; then a scenario repeats every `cycle_sec`."""

    scenario: Scenario
    every_sec: float
    seconds: float | None
    beats: int | None
    batch: int
    seed: int
    cycle_sec: float = 240.0


class Simulation:
    """A fleet, its course, and what came of it."""

    def __init__(self, wire: Wire, admin: str, fleet: list[SimulatedDevice], course: Course) -> None:
        self.tally = Tally()
        self._wire = wire
        self._admin = person(admin)
        self._fleet = fleet
        self._course = course
        self._started = time.monotonic()
        self._budget = course.beats
        self._gathered: list[Beat] = []
        self._sending: set[asyncio.Task[None]] = set()

    @property
    def elapsed(self) -> float:
        return time.monotonic() - self._started

    async def run(self, show: Callable[[], None]) -> None:
        """Returns when the time or the beats are used up and every answer is in."""
        self._started = time.monotonic()
        living = [asyncio.create_task(self._live(one)) for one in self._fleet]
        around = [asyncio.create_task(self._show(show)), asyncio.create_task(self._send_gathered())]
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._course.seconds):
                    await asyncio.gather(*living)
        finally:
            for task in (*living, *around):
                task.cancel()
            await asyncio.gather(*living, *around, return_exceptions=True)
            self._flush()
            if self._sending:
                await asyncio.wait(self._sending)
            show()

    async def _live(self, one: SimulatedDevice) -> None:
        chance = Random(f"{self._course.seed}:{one.tenant}:{one.id}")  # noqa: S311 - a simulation, repeatable by its seed
        boot = f"boot-{chance.getrandbits(32):08x}"
        kept: list[Beat] = []
        sequence = 0
        due = self.elapsed + chance.random() * self._course.every_sec
        while self._budget is None or self._budget > 0:
            await asyncio.sleep(max(0.0, due - self.elapsed))
            due += self._course.every_sec * chance.uniform(0.9, 1.1)
            now = moment(self._course.scenario, one.place, self._progress(), chance)
            if now.line is Line.LOSE:
                continue
            sequence += 1
            beat = _beat(one, boot, sequence, now.metrics)
            if now.line is Line.KEEP:
                kept.append(beat)
                self.tally.kept[one.tenant] += 1
                continue
            taken = self._take(1 + len(kept))
            if taken:
                self._send(one, [*kept, beat][-taken:])
                kept.clear()

    def _progress(self) -> float:
        if self._course.seconds is None:
            return self.elapsed % self._course.cycle_sec / self._course.cycle_sec
        return min(self.elapsed / self._course.seconds, 1.0)

    def _take(self, wanted: int) -> int:
        if self._budget is None:
            return wanted
        taken = min(wanted, self._budget)
        self._budget -= taken
        return taken

    def _send(self, one: SimulatedDevice, beats: list[Beat]) -> None:
        self.tally.sent[one.tenant] += len(beats)
        if self._course.batch > 1:
            self._gathered += beats
            if len(self._gathered) >= self._course.batch:
                self._flush()
        elif len(beats) == 1:
            self._in_background(self._send_one(one, beats[0]))
        else:
            for start in range(0, len(beats), _MOST_AT_ONCE):
                self._in_background(self._send_many(beats[start : start + _MOST_AT_ONCE], device(one.token)))

    def _flush(self) -> None:
        size = max(1, min(self._course.batch, _MOST_AT_ONCE))
        while self._gathered:
            group, self._gathered = self._gathered[:size], self._gathered[size:]
            self._in_background(self._send_many(group, self._admin))

    def _in_background(self, sending: Any) -> None:
        task = asyncio.create_task(sending)
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    async def _send_one(self, one: SimulatedDevice, beat: Beat) -> None:
        begun = time.monotonic()
        try:
            await self._wire.call(BEAT, {"input": beat}, device(one.token))
        except (RefusedError, NoAnswerError) as error:
            self._count_failed([beat], error)
        else:
            self.tally.acknowledged[one.tenant] += 1
            self.tally.latencies.append(time.monotonic() - begun)

    async def _send_many(self, beats: list[Beat], authorization: str) -> None:
        begun = time.monotonic()
        try:
            data = await self._wire.call(BEATS, {"inputs": beats}, authorization)
        except (RefusedError, NoAnswerError) as error:
            self._count_failed(beats, error)
            return
        self.tally.latencies.append(time.monotonic() - begun)
        rejected = {entry["index"]: entry["code"] for entry in data["heartbeats"]["rejected"]}
        for index, beat in enumerate(beats):
            if index in rejected:
                self.tally.refused[beat["tenantId"]] += 1
                self.tally.reasons[rejected[index]] += 1
            else:
                self.tally.acknowledged[beat["tenantId"]] += 1

    def _count_failed(self, beats: list[Beat], error: RefusedError | NoAnswerError) -> None:
        refused = isinstance(error, RefusedError)
        for beat in beats:
            (self.tally.refused if refused else self.tally.unanswered)[beat["tenantId"]] += 1
        self.tally.reasons[error.code if isinstance(error, RefusedError) else "no answer"] += len(beats)

    async def _send_gathered(self) -> None:
        while True:
            await asyncio.sleep(_GATHER_SEC)
            self._flush()

    async def _show(self, show: Callable[[], None]) -> None:
        while True:
            show()
            await asyncio.sleep(_SHOW_EVERY_SEC)


def _beat(one: SimulatedDevice, boot: str, sequence: int, metrics: dict[str, float]) -> Beat:
    return {
        "deviceId": one.id,
        "tenantId": one.tenant,
        "storeId": one.store,
        "kind": one.kind,
        "sentAt": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "sequence": sequence,
        "bootId": boot,
        "appVersion": "4.2.0",
        **metrics,
    }
