"""What simulated devices do, and when: pure functions of device, time and chance."""

import math
from dataclasses import dataclass, field
from enum import Enum
from random import Random


class Scenario(Enum):
    """The courses that a run may take."""

    STEADY = "steady"
    STORE_OUTAGE = "store-outage"
    FLAPPING = "flapping"
    LAG = "lag"
    SLOW_DRIFT = "slow-drift"
    BACKLOG = "backlog"
    MIXED = "mixed"


class Line(Enum):
    """What becomes of a beat that is due."""

    SEND = "send"
    LOSE = "lose"
    KEEP = "keep"  # the device goes on, but its line is cut; what it kept is sent when the line is back


@dataclass(frozen=True, slots=True)
class Place:
    """Where a device stands: its number in its tenant, and that of its store."""

    number: int
    store: int


@dataclass(frozen=True, slots=True)
class Moment:
    """A device at one point of a scenario."""

    line: Line = Line.SEND
    metrics: dict[str, float] = field(default_factory=dict)


# Of ten devices of a mixed fleet: most are well, so that the others stand out.
_MIX = (
    *([Scenario.STEADY] * 5),
    Scenario.STORE_OUTAGE,
    Scenario.FLAPPING,
    Scenario.LAG,
    Scenario.SLOW_DRIFT,
    Scenario.BACKLOG,
)


def moment(scenario: Scenario, place: Place, progress: float, chance: Random) -> Moment:
    """`progress` is how much of the scenario is over, 0 to 1."""
    well = _well(chance)
    if scenario is Scenario.MIXED:
        return _course(_MIX[place.number % len(_MIX)], progress, well)
    if not _is_hit(scenario, place):
        return Moment(metrics=well)
    return _course(scenario, progress, well)


def _is_hit(scenario: Scenario, place: Place) -> bool:
    if scenario in (Scenario.STORE_OUTAGE, Scenario.BACKLOG):
        return place.store == 0
    return place.number % 4 == 0


def _course(scenario: Scenario, progress: float, well: dict[str, float]) -> Moment:
    match scenario:
        case Scenario.STORE_OUTAGE:
            return Moment(Line.LOSE if 0.3 <= progress < 0.7 else Line.SEND, well)
        case Scenario.FLAPPING:
            return Moment(Line.LOSE if int(progress * 10) % 2 else Line.SEND, well)
        case Scenario.BACKLOG:
            return Moment(Line.KEEP if 0.3 <= progress < 0.6 else Line.SEND, well)
        case Scenario.LAG:
            return Moment(metrics={**well, "syncLagSec": round(5 + 240 * math.sin(math.pi * progress) ** 2, 1)})
        case Scenario.SLOW_DRIFT:
            drift = {"memoryUsage": 50 + 48 * progress, "requestLatencyP95": well["requestLatencyP95"] * (1 + 6 * progress)}
            return Moment(metrics={**well, **{name: round(value, 1) for name, value in drift.items()}})
    return Moment(metrics=well)


def _well(chance: Random) -> dict[str, float]:
    return {
        "errorRate5m": round(max(0.0, chance.gauss(0.004, 0.003)), 4),
        "requestLatencyP95": round(max(5.0, chance.gauss(120, 25)), 1),
        "syncLagSec": round(max(0.0, chance.gauss(4, 2)), 1),
        "memoryUsage": round(min(90.0, max(5.0, chance.gauss(48, 5))), 1),
        "cpuUsage": round(min(95.0, max(1.0, chance.gauss(22, 8))), 1),
        "diskUsage": round(min(85.0, max(5.0, chance.gauss(41, 2))), 1),
    }
