"""What all measures over HTTP have in common: a round of one side, and all sides in turn."""

from collections.abc import Mapping
from dataclasses import dataclass

from bench.load.http import FIRST, Call, Calls
from bench.results import Comparison, Sample, compared, side
from bench.rounds import Effort, LostError, alternate, call, sample_of
from bench.stage import Server, Stage


@dataclass(slots=True)
class Asked:
    """A server and what it is asked. `stored_in` is the database and the collection that each call puts `each` documents into;
    they are counted. A round ends after a multiple of `together` calls of each connection. Where it is not asked `alike`, by fewer connections, its latency would compare to nothing."""

    server: Server
    calls: list[Call]
    wanted: str
    path: str = "/graphql"
    method: str = "POST"
    connections: int = 128
    each: int = 1
    stored_in: tuple[str, str] | None = None
    together: int = 1
    alike: bool = True
    next: int = FIRST


async def compare(
    stage: Stage, effort: Effort, what: str, asked: Mapping[str, Asked], left_out: Mapping[str, str] | None = None
) -> Comparison:
    """All in turn, `ours` against the others; their servers are stopped in the end."""
    turns = {name: _Turn(stage, effort, one) for name, one in asked.items()}
    samples = await alternate(turns, effort.rounds, warm=not effort.quick)
    sides = {name: side(samples[name], one.server.memory()) for name, one in asked.items()}
    stage.stop(*(one.server for one in asked.values()))
    return compared(what, sides, left_out)


@dataclass(frozen=True, slots=True)
class _Turn:
    stage: Stage
    effort: Effort
    asked: Asked

    async def __call__(self) -> Sample:
        asked = self.asked
        before = await self._stored()
        watched = {"server": asked.server.pids()}
        if asked.stored_in is not None:
            watched["database"] = [self.stage.database.pid]
        report = await call(
            Calls(
                port=asked.server.port,
                path=asked.path,
                method=asked.method,
                calls=asked.calls,
                wanted=asked.wanted,
                connections=asked.connections,
                warm_sec=self.effort.warm_sec,
                seconds=self.effort.seconds,
                first=asked.next,
                together=asked.together,
                watched=watched,
            )
        )
        asked.next = report.next + asked.each
        stored = await self._stored() - before
        if asked.stored_in is not None and stored != report.answered * asked.each:
            raise LostError(f"{report.answered * asked.each} were acknowledged, and {stored} are stored")
        sample = sample_of(report, asked.each)
        return sample if asked.alike else {name: value for name, value in sample.items() if not name.endswith("_ms")}

    async def _stored(self) -> int:
        return 0 if self.asked.stored_in is None else await self.stage.documents_in(*self.asked.stored_in)
