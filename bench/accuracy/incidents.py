"""What goes wrong in the month: forty incidents, each with its label and with what it does to the fleet.

An incident is only what a person would want to hear of, so each is clearly over the bound that its rule is there for, and
lasts longer than that rule waits. How far over, how long, when and where is up to chance.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date

from bench.accuracy.calendar import DAY, DAYS, END, HOUR, MINUTE, START, local, seconds_of_day
from bench.accuracy.fleet import Machine, Shop, tenants


@dataclass(frozen=True, slots=True)
class Silence:
    """Devices that do not get through."""

    machines: frozenset[str]


@dataclass(frozen=True, slots=True)
class Level:
    """A gauge that goes up to `level`, give or take a few percent."""

    machine: str
    gauge: str
    level: float


@dataclass(frozen=True, slots=True)
class Times:
    """A gauge that is so many times what it would be."""

    machine: str
    gauge: str
    factor: float


@dataclass(frozen=True, slots=True)
class Failing:
    """Events of a kind that fail so often (0..1). `place` is a shop, or a tenant for what has no shop."""

    place: str
    kind: str
    share: float


@dataclass(frozen=True, slots=True)
class Extra:
    """So many more events of a kind an hour, whatever the hour."""

    place: str
    kind: str
    per_hour: float


@dataclass(frozen=True, slots=True)
class State:
    """A service that is in a bad state."""

    tenant: str
    service: str
    status: str


Effect = Silence | Level | Times | Failing | Extra | State


@dataclass(frozen=True, slots=True)
class Incident:
    """`rule` is the rule that has to catch it on one of `subjects` (kind/id); what `also` names may rightly alarm there, too."""

    number: int
    what: str
    rule: str
    subjects: frozenset[str]
    start: int
    end: int
    effect: Effect
    also: tuple[str, ...] = field(default=())


_WHEN_LATENT = ("latency_average_high", "latency_unusual")
Span = tuple[float, float]
Draft = tuple[str, frozenset[str], int, int, Effect, tuple[str, ...]]


def incidents(seed: int, shops: Sequence[Shop]) -> list[Incident]:
    """The labels of the month, by when they begin."""
    rng = random.Random(f"{seed}:incidents")
    drafts = [(rule, draft) for rule, of_rule in _makers(rng, shops) for draft in of_rule]
    drafts.sort(key=lambda pair: pair[1][2])
    return [
        Incident(number + 1, what, rule, subjects, start, end, effect, also)
        for number, (rule, (what, subjects, start, end, effect, also)) in enumerate(drafts)
    ]


def _makers(rng: random.Random, shops: Sequence[Shop]) -> Iterator[tuple[str, list[Draft]]]:
    chosen = _Choice(rng, shops)
    yield "device_offline", [*_outages(rng, chosen, 2), *_cut_lines(rng, chosen, 2)]
    yield "cpu_high", _gauges(rng, chosen, 2, "cpu", ((93, 99), (15, 90)))
    yield "memory_high", _gauges(rng, chosen, 2, "memory", ((88, 97), (20, 180)))
    yield "disk_full", _gauges(rng, chosen, 2, "disk", ((91.5, 98), (120, 720)))
    yield "sync_lag_high", _gauges(rng, chosen, 2, "lag", ((120, 900), (10, 120)))
    yield "slow_api", _gauges(rng, chosen, 2, "latency", ((1_250, 4_000), (10, 60)), also=_WHEN_LATENT)
    yield "latency_average_high", _gauges(rng, chosen, 2, "latency", ((880, 960), (45, 120)), also=_WHEN_LATENT)
    yield "error_rate_high", _gauges(rng, chosen, 2, "errors", ((0.08, 0.5), (12, 90)))
    yield "latency_unusual", _drifts(rng, chosen, 3)
    yield "payment_failure_rate", _failing(rng, chosen, 3, "payment", (0.25, 0.9), (25, 75))
    yield "gate_fail_rate_high", _failing(rng, chosen, 2, "redemption", (0.3, 0.9), (45, 120))
    yield "webhook_failures", _hooks(rng, 2)
    yield "refund_spike", _extra(rng, chosen, 2, "refund")
    yield "reprint_spike", _extra(rng, chosen, 2, "reprint")
    yield "after_hours_sales", _at_night(rng, chosen)
    yield "database_down", _states(rng, 2, ("database",), "unhealthy", (3, 30), also=("service_unhealthy",))
    yield "service_unhealthy", _states(rng, 2, ("checkout-api", "stock-sync", "loyalty"), "unhealthy", (4, 60))
    yield "service_degraded", _states(rng, 1, ("stock-sync", "payment-provider", "weather"), "degraded", (10, 120))


class _Choice:
    """Shops and machines for incidents; nobody is chosen twice, so that no incident covers another one's tracks."""

    def __init__(self, rng: random.Random, shops: Sequence[Shop]) -> None:
        self._rng = rng
        self._shops = list(shops)
        self._taken: set[str] = set()

    def shop(self, kind: str, zone: str | None = None) -> Shop:
        """A shop that nothing of this kind has happened to."""
        free = [shop for shop in self._shops if zone in (None, shop.zone) and f"{kind}/{shop.id}" not in self._taken]
        found = self._rng.choice(free)
        self._taken.add(f"{kind}/{found.id}")
        return found

    def machine(self, kind: str | None = None) -> Machine:
        """A machine that nothing has happened to."""
        machines = [one for shop in self._shops for one in shop.machines]
        found = self._rng.choice([one for one in machines if kind in (None, one.kind) and one.id not in self._taken])
        self._taken.add(found.id)
        return found


def _outages(rng: random.Random, chosen: _Choice, count: int) -> Iterator[Draft]:
    for _ in range(count):
        machine = chosen.machine()
        start, end = _some_time(rng, (5, 300))
        yield "device off", frozenset({f"device/{machine.id}"}), start, end, Silence(frozenset({machine.id})), ()


def _cut_lines(rng: random.Random, chosen: _Choice, count: int) -> Iterator[Draft]:
    for _ in range(count):
        shop = chosen.shop("line")
        start, end = _some_time(rng, (6, 120))
        names = frozenset(machine.id for machine in shop.machines)
        yield "line of a shop cut", frozenset(f"device/{name}" for name in names), start, end, Silence(names), ()


def _gauges(
    rng: random.Random, chosen: _Choice, count: int, gauge: str, bounds: tuple[Span, Span], also: tuple[str, ...] = ()
) -> list[Draft]:
    """`bounds`: of the level, and of how many minutes."""
    level, minutes = bounds
    drafts: list[Draft] = []
    for _ in range(count):
        machine = chosen.machine()
        start, end = _some_time(rng, minutes)
        effect = Level(machine.id, gauge, rng.uniform(*level))
        drafts.append((f"{gauge} at {effect.level:.3g}", frozenset({f"device/{machine.id}"}), start, end, effect, also))
    return drafts


def _drifts(rng: random.Random, chosen: _Choice, count: int) -> list[Draft]:
    """Slower than ever at this hour, and far from slow by any fixed bound."""
    drafts: list[Draft] = []
    for _ in range(count):
        gateway = chosen.machine("gateway")
        start, end = _some_time(rng, (120, 300))
        effect = Times(gateway.id, "latency", rng.uniform(1.7, 3.0))
        subjects = frozenset({f"device/{gateway.id}"})
        drafts.append(
            (f"latency {effect.factor:.1f} times the usual", subjects, start, end, effect, ("slow_api", "latency_average_high"))
        )
    return drafts


def _failing(rng: random.Random, chosen: _Choice, count: int, kind: str, share: Span, minutes: Span) -> list[Draft]:
    drafts: list[Draft] = []
    for _ in range(count):
        shop = chosen.shop(kind)
        start, end = _while_open(rng, shop, minutes)
        effect = Failing(shop.id, kind, rng.uniform(*share))
        drafts.append((f"{effect.share:.0%} of {kind}s fail", frozenset({f"store/{shop.id}"}), start, end, effect, ()))
    return drafts


def _hooks(rng: random.Random, count: int) -> list[Draft]:
    drafts: list[Draft] = []
    for tenant, zone in rng.sample(tenants(), count):
        start, end = _some_time(rng, (45, 150))
        while not 8 * HOUR < seconds_of_day(zone, start) < 20 * HOUR:
            start, end = _some_time(rng, (45, 150))
        effect = Failing(tenant, "webhook_delivery", rng.uniform(0.4, 1.0))
        drafts.append((f"{effect.share:.0%} of webhooks fail", frozenset({f"tenant/{tenant}"}), start, end, effect, ()))
    return drafts


def _extra(rng: random.Random, chosen: _Choice, count: int, kind: str) -> list[Draft]:
    drafts: list[Draft] = []
    for _ in range(count):
        shop = chosen.shop(kind)
        start, end = _while_open(rng, shop, (45, 100))
        effect = Extra(shop.id, kind, rng.uniform(25, 60))
        drafts.append((f"{effect.per_hour:.0f} more {kind}s an hour", frozenset({f"store/{shop.id}"}), start, end, effect, ()))
    return drafts


def _at_night(rng: random.Random, chosen: _Choice) -> list[Draft]:
    """Sales between ten in the evening and nine; two of them in the hour that a forgotten change of the clocks would miss."""
    drafts: list[Draft] = []
    nights = (
        ("Europe/Berlin", 29, 22 * HOUR + 5 * MINUTE, 40),  # at nine to ten by the old clock
        ("Australia/Sydney", 36, 8 * HOUR + 10 * MINUTE, 40),  # at nine to ten by the old clock
        ("America/New_York", rng.randrange(9, 34), 3 * HOUR, 90),
    )
    for zone, day_of_march, wall, minutes in nights:
        shop = chosen.shop("night", zone)
        start = _at_wall(zone, day_of_march, wall)
        effect = Extra(shop.id, "sale", rng.uniform(8, 20))
        drafts.append(("sales at night", frozenset({f"store/{shop.id}"}), start, start + minutes * MINUTE, effect, ()))
    return drafts


def _states(
    rng: random.Random, count: int, keys: Sequence[str], status: str, minutes: Span, also: tuple[str, ...] = ()
) -> list[Draft]:
    drafts: list[Draft] = []
    for tenant, _ in rng.sample(tenants(), count):
        key = rng.choice(keys)
        start, end = _some_time(rng, minutes)
        subjects = frozenset({f"service/{tenant}:{key}"})
        drafts.append((f"{key} {status}", subjects, start, end, State(tenant, key, status), also))
    return drafts


def _some_time(rng: random.Random, minutes: Span) -> tuple[int, int]:
    start = START + rng.randrange(DAY, DAYS * DAY - 16 * HOUR)
    return start, start + round(rng.uniform(*minutes) * MINUTE)


def _while_open(rng: random.Random, shop: Shop, minutes: Span) -> tuple[int, int]:
    """The first two hours after opening and the last three before closing have little to show."""
    while True:
        start, end = _some_time(rng, minutes)
        if shop.opens + HOUR < seconds_of_day(shop.zone, start) < shop.closes - 3 * HOUR:
            return start, end


def _at_wall(zone: str, day_of_march: int, wall: int) -> int:
    """When the clocks there show this, on a day of March, or beyond the 31st of April."""
    day = date(2026, 3, 1).toordinal() + day_of_march - 1
    found = (at for at in range(START, END, 5 * MINUTE) if local(zone, at // HOUR * HOUR)[0] == day)
    return next(at for at in found if seconds_of_day(zone, at) == wall)
