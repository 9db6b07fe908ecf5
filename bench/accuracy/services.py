"""The states of services: mostly well, now and then in trouble for a moment, seldom for longer."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from bench.accuracy.calendar import DAY, END, START
from bench.accuracy.fleet import Watched
from bench.accuracy.incidents import Incident, State

_MOMENTS = (("unhealthy", 6 * DAY, 45.0), ("degraded", 2 * DAY, 240.0))
"""State, how often on average, and the longest in seconds: shorter than anybody waits who is to be told."""


@dataclass(frozen=True, slots=True)
class Turn:
    """From `at` on the service is in this state."""

    at: float
    status: str


def turns_of(seed: int, tenant: str, service: Watched, incidents: Sequence[Incident]) -> list[Turn]:
    """The states of a service, oldest first; it begins well."""
    mine = [
        one
        for one in incidents
        if isinstance(one.effect, State) and (one.effect.tenant, one.effect.service) == (tenant, service.key)
    ]
    bad = [(float(one.start), float(one.end), one.effect.status) for one in mine if isinstance(one.effect, State)]
    rng = random.Random(f"{seed}:{tenant}:{service.key}")
    for status, every, longest in _MOMENTS:
        at = START + rng.expovariate(1 / every)
        while at < END:
            end = at + rng.uniform(5, longest)
            if all(end < start or at > over for start, over, _ in bad):
                bad.append((at, end, status))
            at = end + rng.expovariate(1 / every)
    turns = [Turn(START, "healthy")]
    for start, end, status in sorted(bad):
        turns += [Turn(start, status), Turn(end, "healthy")]
    return turns
