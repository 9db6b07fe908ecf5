"""Beats over HTTP: one a call and many a call, stored by a majority before the answer."""

from collections.abc import Mapping

from bench.fleet import add_devices, add_tenant, beat_calls
from bench.load.http import Call, Calls
from bench.results import Comparison, Sample, compared, side
from bench.rounds import Effort, LostError, Turn, alternate, call, sample_of
from bench.stage import Server, Stage

CONNECTIONS = 128
DEVICES = 1_024
TENANT = "bench"
ACCEPTED = '"accepted":true'


async def heartbeat_http(stage: Stage, effort: Effort) -> Comparison:
    await add_tenant(stage.context, TENANT)
    calls = beat_calls(TENANT, await add_devices(stage.context, TENANT, DEVICES))
    databases = {"ours": "bench", **{name: await stage.peer_database(name) for name in ("mercurius", "yoga")}}
    servers = {"ours": await stage.ours()}
    for name in ("mercurius", "yoga"):
        servers[name] = await stage.node(name, stage.mongo_uri, databases[name])
    turns = {name: _Beats(stage, effort, server, databases[name], calls) for name, server in servers.items()}
    samples = await alternate(turns, effort.rounds)
    sides = {name: side(samples[name], server.memory()) for name, server in servers.items()}
    stage.stop(*servers.values())
    what = f"single heartbeats over HTTP, acknowledged once a majority has them; {CONNECTIONS} connections, one server process"
    return compared(what, sides)


class _Beats:
    """One round of one side: beats, and a count of what the database then holds."""

    def __init__(self, stage: Stage, effort: Effort, server: Server, database: str, calls: list[Call], each: int = 1) -> None:
        self._stage = stage
        self._effort = effort
        self._server = server
        self._database = database
        self._calls = calls
        self._each = each
        self._next = 100_000_000

    async def __call__(self) -> Sample:
        before = await self._stage.beats_in(self._database)
        report = await call(
            Calls(
                port=self._server.port,
                calls=self._calls,
                wanted=ACCEPTED,
                connections=CONNECTIONS,
                warm_sec=self._effort.warm_sec,
                seconds=self._effort.seconds,
                first=self._next,
                watched={"server": self._server.pids(), "database": [self._stage.database.pid]},
            )
        )
        self._next = report.next
        stored = await self._stage.beats_in(self._database) - before
        if stored != report.answered * self._each:
            raise LostError(f"{report.answered * self._each} beats were acknowledged, and {stored} are stored")
        return sample_of(report, self._each)


Turns = Mapping[str, Turn]
